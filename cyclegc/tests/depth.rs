//! No recursion anywhere: ten million objects on a stack of 512 KiB.

use std::cell::RefCell;

use cpymem_cyclegc::{Collector, Gc, Trace};

const MANY: usize = 10_000_000;

#[derive(Trace)]
struct Node {
    next: RefCell<Option<Gc<Node>>>,
}

fn on_a_small_stack(run: fn()) {
    std::thread::Builder::new().stack_size(512 << 10).spawn(run).unwrap().join().unwrap();
}

/// A chain of `MANY` objects, as its two ends.
fn chain(collector: &Collector) -> (Gc<Node>, Gc<Node>) {
    let last = collector.alloc(Node { next: RefCell::new(None) });
    let mut first = last.clone();
    for _ in 1..MANY {
        first = collector.alloc(Node { next: RefCell::new(Some(first)) });
    }
    (first, last)
}

#[test]
fn a_ring_is_collected_live_and_dead() {
    on_a_small_stack(|| {
        let collector = Collector::new();
        let (first, last) = chain(&collector);
        *last.next.borrow_mut() = Some(first.clone());
        drop(last);
        assert_eq!(collector.collect(), 0);
        drop(first);
        assert_eq!(collector.collect(), MANY);
        assert_eq!(collector.objects(), 0);
    });
}

#[test]
fn a_chain_dies_by_its_counts() {
    on_a_small_stack(|| {
        let collector = Collector::new();
        let (first, last) = chain(&collector);
        drop(last);
        assert_eq!(collector.collect(), 0);
        drop(first);
        assert_eq!(collector.objects(), 0);
    });
}
