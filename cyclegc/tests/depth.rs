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

/// A tree whose children know their parent, or a random graph, live and dead.
fn graph(targets: impl Fn(usize) -> [usize; 2]) {
    #[derive(Trace)]
    struct Branch(RefCell<[Option<Gc<Branch>>; 2]>);
    let collector = Collector::new();
    collector.disable();
    let nodes: Vec<Gc<Branch>> = (0..MANY).map(|_| collector.alloc(Branch(RefCell::default()))).collect();
    for (i, node) in nodes.iter().enumerate() {
        *node.0.borrow_mut() = targets(i).map(|target| nodes.get(target).cloned());
    }
    let root = nodes[0].clone();
    drop(nodes);
    assert_eq!(collector.collect(), 0);
    drop(root);
    assert_eq!((collector.collect(), collector.objects()), (MANY, 0));
}

#[test]
fn a_tree_is_collected_live_and_dead() {
    // Every object refers to its parent too, by way of the next of its level: a cycle through all.
    on_a_small_stack(|| graph(|i| [2 * i + 1, if 2 * i + 1 < MANY { 2 * i + 2 } else { 0 }]));
}

#[test]
fn a_random_graph_is_collected_live_and_dead() {
    on_a_small_stack(|| graph(|i| [(i + 7_654_321) % MANY, i.wrapping_mul(2_654_435_761) % MANY]));
}

#[test]
fn a_hundred_million_references_to_one_object() {
    #[derive(Trace)]
    struct Hub(RefCell<Vec<Gc<Hub>>>);
    let collector = Collector::new();
    let hub = collector.alloc(Hub(RefCell::default()));
    *hub.0.borrow_mut() = vec![hub.clone(); 100_000_000];
    assert_eq!((collector.collect(), Gc::strong_count(&hub)), (0, 100_000_001));
    drop(hub);
    assert_eq!((collector.collect(), collector.objects()), (1, 0));
}

#[test]
fn collectors_on_a_thousand_threads() {
    let threads: Vec<_> = (0..1000)
        .map(|_| {
            std::thread::Builder::new().stack_size(64 << 10).spawn(|| {
                let collector = Collector::new();
                for _ in 0..100 {
                    let (first, second) = (
                        collector.alloc(Node { next: RefCell::new(None) }),
                        Gc::new(Node { next: RefCell::new(None) }),
                    );
                    *first.next.borrow_mut() = Some(first.clone());
                    *second.next.borrow_mut() = Some(second.clone());
                }
                assert_eq!(collector.collect(), 100);
                // The thread's own hundred go with the thread.
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.unwrap().join().unwrap());
}
