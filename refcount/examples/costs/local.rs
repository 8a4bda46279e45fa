//! `rc` beside `std::rc`.

use crate::measure::Table;
use allocator_api2::alloc::{Allocator, Global};
use cpymem_refcount::freelist::{FreeLists, PerThread};
use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::time::Instant;

const REPEATS: usize = 500_000;
const OBJECTS: usize = 1024;
const NODES: usize = 1_000_000;

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
                assert_eq!(sum, (0..REPEATS as u64).map(|i| (i * 617) % OBJECTS as u64).sum::<u64>());
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

/// `new` and drop with an allocator.
fn new_and_drop_in<A: Allocator + Clone + 'static>(alloc: A) -> f64 {
    use cpymem_refcount::rc::Rc;
    time(REPEATS, || {
        for i in 0..REPEATS as u64 {
            drop(black_box(Rc::new_in(i, alloc.clone())));
        }
    })
}

/// The same with 1024 objects alive, each replaced in turn: no allocator can hand out the same block every time.
fn replace<R>(new: impl Fn(u64) -> R) -> f64 {
    let mut all: Vec<R> = (0..OBJECTS as u64).map(&new).collect();
    let ns = time(REPEATS, || {
        for i in 0..REPEATS {
            all[i.wrapping_mul(617) % OBJECTS] = black_box(new(i as u64));
        }
    });
    assert_eq!(all.len(), OBJECTS);
    ns
}

fn new_on_cpymem() -> f64 {
    new_and_drop_in(cpymem_allocator::Global)
}

fn new_on_free_lists() -> f64 {
    static LIMIT: u32 = 100;
    // Leaked, as `new_in` wants an allocator for ever.
    new_and_drop_in(&*Box::leak(Box::new(FreeLists::new(LIMIT, Global))))
}

fn new_per_thread() -> f64 {
    new_and_drop_in(PerThread)
}

fn replace_theirs() -> f64 {
    replace(std::rc::Rc::new)
}

fn replace_ours() -> f64 {
    replace(cpymem_refcount::rc::Rc::new)
}

fn replace_on_cpymem() -> f64 {
    replace(|i| cpymem_refcount::rc::Rc::new_in(i, cpymem_allocator::Global))
}

fn replace_per_thread() -> f64 {
    replace(|i| cpymem_refcount::rc::Rc::new_in(i, PerThread))
}

/// The chain on a stack of 1 MiB, where `std`'s overflows.
fn drop_chain_on_a_small_stack() -> f64 {
    let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(ours::drop_chain).expect("a thread");
    thread.join().expect("checked results")
}

pub(crate) fn run() {
    let table = Table::new("rc: ns per operation, median of rounds");
    table.compare("clone + drop, one object", theirs::clone_drop_same, ours::clone_drop_same);
    table.compare("clone + drop, 1024 objects", theirs::clone_drop_many, ours::clone_drop_many);
    table.compare("clone + drop, immortal (std: mortal)", theirs::clone_drop_same, clone_drop_immortal);
    table.compare(
        "clone + drop, object has a Weak",
        theirs::clone_drop_with_weak,
        ours::clone_drop_with_weak,
    );
    table.compare("upgrade + drop", theirs::upgrade_drop, ours::upgrade_drop);
    table.compare("new + drop, u64", theirs::new_drop_plain, ours::new_drop_plain);
    table.compare("new + drop, u64, on cpymem's heap", theirs::new_drop_plain, new_on_cpymem);
    table.compare("new + drop, u64, on FreeLists", theirs::new_drop_plain, new_on_free_lists);
    table.compare("new + drop, u64, on PerThread", theirs::new_drop_plain, new_per_thread);
    table.compare("replace one of 1024", replace_theirs, replace_ours);
    table.compare("replace one of 1024, on cpymem's heap", replace_theirs, replace_on_cpymem);
    table.compare("replace one of 1024, on PerThread", replace_theirs, replace_per_thread);
    table.compare("new + drop, value with Drop", theirs::new_drop_glue, ours::new_drop_glue);
    table.compare("new + downgrade + drop both", theirs::new_downgrade_drop, ours::new_downgrade_drop);
    table.compare("drop a chain of 1M (std: 2 GiB of stack)", theirs::drop_chain, ours::drop_chain);
    table.compare("drop a chain of 1M, ours on 1 MiB", theirs::drop_chain, drop_chain_on_a_small_stack);
    table.compare("drop a binary tree of 1M", theirs::drop_tree, ours::drop_tree);
}
