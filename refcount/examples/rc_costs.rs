//! `cpymem_refcount::rc::Rc` beside `std::rc::Rc`, in one process, taking turns: the best of many rounds, in nanoseconds for one
//! operation, and the ratio. Every workload checks its own result.
//!
//! ```text
//! cargo run --release -p cpymem-refcount --example rc_costs [PART OF A NAME]
//! ```

use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::time::Instant;

const ROUNDS: usize = 15;
const REPEATS: usize = 2_000_000;
const OBJECTS: usize = 1024;
const NODES: usize = 1_000_000;
/// `std`'s recursion needs about 100 bytes of stack for each node of a chain in release, several times that in debug.
const STACK: usize = 2 << 30;

thread_local! {
    static DROPPED: Cell<usize> = const { Cell::new(0) };
}

/// A value whose drop is counted, so that no destruction can be optimised away or forgotten.
struct Counted(#[expect(dead_code, reason = "gives the object a size")] u64);

impl Drop for Counted {
    #[inline]
    fn drop(&mut self) {
        DROPPED.set(DROPPED.get() + 1);
    }
}

fn expect_dropped(count: usize) {
    assert_eq!(DROPPED.replace(0), count, "every object is dropped exactly once");
}

/// Nanoseconds for one of `operations`.
fn time(operations: usize, work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_nanos() as f64 / operations as f64
}

/// Leaves the allocator's free blocks in address order. The order in which one run frees its nodes is the order in which the next
/// one gets them, and a list that is scattered in memory costs a cache miss a node whoever drops it.
fn settle_heap() {
    let mut blocks: Vec<Box<[u8; 56]>> = (0..NODES).map(|_| Box::new([0; 56])).collect();
    blocks.sort_by_key(|block| std::ptr::from_ref(&**block).addr());
    while let Some(highest) = blocks.pop() {
        drop(black_box(highest));
    }
}

/// The same workloads for two pointer types with the same names.
macro_rules! workloads {
    ($name:ident, $rc:path) => {
        mod $name {
            use super::*;
            use rc::{Rc, Weak};
            use $rc as rc;

            struct Node {
                next: RefCell<Option<Rc<Node>>>,
                other: RefCell<Option<Rc<Node>>>,
                _counted: Counted,
            }

            fn node(next: Option<Rc<Node>>, other: Option<Rc<Node>>) -> Rc<Node> {
                Rc::new(Node { next: RefCell::new(next), other: RefCell::new(other), _counted: Counted(0) })
            }

            pub(super) fn clone_drop_same() -> f64 {
                let rc = Rc::new(1_u64);
                let ns = time(REPEATS, || {
                    for _ in 0..REPEATS {
                        drop(black_box(Rc::clone(black_box(&rc))));
                    }
                });
                assert_eq!(Rc::strong_count(&rc), 1);
                ns
            }

            pub(super) fn clone_drop_many() -> f64 {
                let all: Vec<_> = (0..OBJECTS as u64).map(Rc::new).collect();
                let mut sum = 0;
                let ns = time(REPEATS, || {
                    for i in 0..REPEATS {
                        // A multiplicative walk: no two neighbours in a row.
                        let clone = black_box(Rc::clone(&all[i.wrapping_mul(617) % OBJECTS]));
                        sum += *clone;
                    }
                });
                assert_eq!(sum, (0..REPEATS as u64).map(|i| (i * 617) % OBJECTS as u64).sum());
                assert!(all.iter().all(|rc| Rc::strong_count(rc) == 1));
                ns
            }

            pub(super) fn clone_drop_with_weak() -> f64 {
                let rc = Rc::new(1_u64);
                let weak = Rc::downgrade(&rc);
                let ns = time(REPEATS, || {
                    for _ in 0..REPEATS {
                        drop(black_box(Rc::clone(black_box(&rc))));
                    }
                });
                assert_eq!((weak.strong_count(), weak.weak_count()), (1, 1));
                ns
            }

            pub(super) fn upgrade_drop() -> f64 {
                let rc = Rc::new(1_u64);
                let weak = Rc::downgrade(&rc);
                let ns = time(REPEATS, || {
                    for _ in 0..REPEATS {
                        drop(black_box(black_box(&weak).upgrade()));
                    }
                });
                assert_eq!((weak.strong_count(), weak.weak_count()), (1, 1));
                ns
            }

            pub(super) fn new_drop_plain() -> f64 {
                time(REPEATS, || {
                    for i in 0..REPEATS as u64 {
                        drop(black_box(Rc::new(i)));
                    }
                })
            }

            pub(super) fn new_drop_glue() -> f64 {
                let ns = time(REPEATS, || {
                    for i in 0..REPEATS as u64 {
                        drop(black_box(Rc::new(Counted(i))));
                    }
                });
                expect_dropped(REPEATS);
                ns
            }

            pub(super) fn new_downgrade_drop() -> f64 {
                let repeats = REPEATS / 4;
                let ns = time(repeats, || {
                    for i in 0..repeats as u64 {
                        let rc = Rc::new(Counted(i));
                        let weak: Weak<_> = black_box(Rc::downgrade(&rc));
                        drop(rc);
                        assert!(weak.upgrade().is_none());
                    }
                });
                expect_dropped(repeats);
                ns
            }

            pub(super) fn drop_chain() -> f64 {
                settle_heap();
                let mut head = node(None, None);
                for _ in 1..NODES {
                    head = node(Some(head), None);
                }
                assert!(head.other.borrow().is_none() && head.next.borrow().is_some());
                let ns = time(NODES, || drop(head));
                expect_dropped(NODES);
                ns
            }

            pub(super) fn drop_tree() -> f64 {
                settle_heap();
                let mut level: Vec<_> = (0..NODES / 2 + 1).map(|_| node(None, None)).collect();
                let mut nodes = level.len();
                while level.len() > 1 {
                    let mut children = level.into_iter();
                    let mut above = Vec::new();
                    while let Some(left) = children.next() {
                        above.push(node(Some(left), children.next()));
                    }
                    nodes += above.len();
                    level = above;
                }
                let ns = time(nodes, || drop(level));
                expect_dropped(nodes);
                ns
            }
        }
    };
}

workloads!(theirs, std::rc);
workloads!(ours, cpymem_refcount::rc);

fn clone_drop_immortal() -> f64 {
    use cpymem_refcount::rc::Rc;
    let rc = Rc::new(1_u64);
    Rc::immortalize(&rc);
    let ns = time(REPEATS, || {
        for _ in 0..REPEATS {
            drop(black_box(Rc::clone(black_box(&rc))));
        }
    });
    assert!(Rc::is_immortal(&rc));
    ns
}

fn compare(name: &str, theirs: fn() -> f64, ours: fn() -> f64) {
    if std::env::args().nth(1).is_some_and(|part| !name.contains(&part)) {
        return;
    }
    let (mut their_best, mut our_best) = (f64::MAX, f64::MAX);
    for _ in 0..ROUNDS {
        their_best = their_best.min(theirs());
        our_best = our_best.min(ours());
    }
    println!("{name:<40} {their_best:>9.2} {our_best:>9.2} {:>7.2}", our_best / their_best);
}

fn run() {
    println!("{:<40} {:>9} {:>9} {:>7}", "ns per operation, best of rounds", "std", "this", "ratio");
    compare("clone + drop, one object", theirs::clone_drop_same, ours::clone_drop_same);
    compare("clone + drop, 1024 objects", theirs::clone_drop_many, ours::clone_drop_many);
    compare("clone + drop, immortal (std: mortal)", theirs::clone_drop_same, clone_drop_immortal);
    compare("clone + drop, object has a Weak", theirs::clone_drop_with_weak, ours::clone_drop_with_weak);
    compare("upgrade + drop", theirs::upgrade_drop, ours::upgrade_drop);
    compare("new + drop, u64", theirs::new_drop_plain, ours::new_drop_plain);
    compare("new + drop, value with Drop", theirs::new_drop_glue, ours::new_drop_glue);
    compare("new + downgrade + drop both", theirs::new_downgrade_drop, ours::new_downgrade_drop);
    compare("drop a chain of 1M (std: 2 GiB of stack)", theirs::drop_chain, ours::drop_chain);
    compare("drop a binary tree of 1M", theirs::drop_tree, ours::drop_tree);
}

fn main() {
    std::thread::Builder::new()
        .stack_size(STACK)
        .spawn(run)
        .expect("a thread")
        .join()
        .expect("checked results");
}
