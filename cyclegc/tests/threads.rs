//! A full collection with several threads finds what one finds.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, ThreadId};

use cpymem_cyclegc::{Clearer, Collector, Gc, Trace, Visitor};

/// A node with edges in cells and locks of several kinds. Its index tells who is still there.
#[derive(Trace)]
struct Node {
    index: usize,
    cells: RefCell<Vec<Gc<Node>>>,
    locked: Mutex<Option<Gc<Node>>>,
    plain: Cell<Option<Gc<Node>>>,
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) as usize % limit
    }
}

fn node(collector: &Collector, index: usize) -> Gc<Node> {
    collector.alloc(Node {
        index,
        cells: RefCell::default(),
        locked: Mutex::new(None),
        plain: Cell::new(None),
    })
}

/// A random graph, the handles that are kept on it, and what a full collection with so many threads found and left.
fn collected(seed: u64, threads: usize) -> (usize, Vec<usize>, usize) {
    let mut random = Random(seed);
    let collector = Collector::new();
    collector.disable();
    collector.set_threads(threads, 0);
    let count = 1 + random.below(30_000);
    let nodes: Vec<Gc<Node>> = (0..count).map(|index| node(&collector, index)).collect();
    // Hubs, chains and random edges. No edge leads from the first half to the second, of which nothing is kept.
    let density = random.below(4);
    let half = count.div_ceil(2);
    for (index, from) in nodes.iter().enumerate() {
        let reach = if index < half { half } else { count };
        for _ in 0..random.below(density + 1) {
            from.cells.borrow_mut().push(nodes[random.below(reach)].clone());
        }
        if random.below(3) == 0 {
            *from.locked.lock().unwrap() = Some(nodes[(index + 1) % reach].clone());
        }
        if random.below(4) == 0 {
            from.plain.set(Some(nodes[random.below(1 + half / 10)].clone()));
        }
    }
    let kept: Vec<Gc<Node>> = (0..random.below(20)).map(|_| nodes[random.below(half)].clone()).collect();
    // Some are borrowed or locked while the collection runs: what they refer to is pinned.
    let borrowed = nodes[random.below(half)].clone();
    let guard = (random.below(2) == 0).then(|| borrowed.cells.borrow_mut());
    drop(nodes);
    let before = collector.objects();
    let found = collector.collect();
    let left = collector.get_objects(None);
    let mut indices: Vec<usize> = left.into_iter().map(|any| any.downcast::<Node>().unwrap().index).collect();
    indices.sort_unstable();
    drop(guard);
    drop((kept, borrowed));
    collector.collect();
    assert_eq!((collector.objects(), collector.stats().inconsistent), (0, 0));
    (found, indices, before)
}

#[test]
fn finds_what_one_thread_finds() {
    let mut found = 0;
    for seed in 1..60u64 {
        let seed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let alone = collected(seed, 1);
        found += alone.0;
        for threads in [2, 3, 8] {
            assert_eq!(collected(seed, threads), alone, "seed {seed}, {threads} threads");
        }
    }
    assert!(found > 10_000, "{found}");
}

static VISITED_BY: Mutex<Vec<ThreadId>> = Mutex::new(Vec::new());
static VISITS: AtomicUsize = AtomicUsize::new(0);

/// A node of a wide tree that notes who visits it, and panics at a certain visit.
struct Noting {
    children: Vec<Gc<Noting>>,
    panics_at: usize,
}

// SAFETY: reports each child once; what it notes lies in atomics and locks that all threads may use.
#[allow(unsafe_code, reason = "notes on which thread it is visited")]
unsafe impl Trace for Noting {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        let mut visited_by = VISITED_BY.lock().unwrap();
        if !visited_by.contains(&thread::current().id()) {
            visited_by.push(thread::current().id());
        }
        drop(visited_by);
        assert_ne!(VISITS.fetch_add(1, Ordering::Relaxed), self.panics_at, "a visit panics");
        self.children.visit(visitor);
    }

    fn clear(&mut self, clearer: &mut Clearer<'_>) {
        clearer.clear(&mut self.children);
    }
}

/// A tree of 40,000 nodes, wide enough that there is something to share.
fn wide_tree(collector: &Collector, panics_at: usize) -> Gc<Noting> {
    let leaf = || collector.alloc(Noting { children: Vec::new(), panics_at });
    let children = (0..200).map(|_| {
        let children = (0..200).map(|_| leaf()).collect();
        collector.alloc(Noting { children, panics_at })
    });
    collector.alloc(Noting { children: children.collect(), panics_at })
}

#[test]
fn helpers_visit_and_their_panics_arrive() {
    let collector = Collector::new();
    collector.disable();
    collector.set_threads(4, 0);
    // Helpers come when they come: with one core they may find nothing left.
    let root = wide_tree(&collector, usize::MAX);
    let helped = (0..200).any(|_| {
        drop(root.clone());
        assert_eq!(collector.collect(), 0);
        VISITED_BY.lock().unwrap().len() > 1
    });
    assert!(helped, "no helper ever visited anything");
    drop(root);

    // A panic in the second half of the visits, so while marking, by whoever it is.
    for late in 0..20 {
        VISITS.store(0, Ordering::Relaxed);
        let root = wide_tree(&collector, 40_201 + 2_000 * late);
        drop(root.clone());
        let panic = catch_unwind(AssertUnwindSafe(|| collector.collect())).unwrap_err();
        assert!(panic.downcast_ref::<String>().unwrap().contains("a visit panics"));
        // The heap is as it was; the next one is not skipped.
        assert_eq!(collector.objects(), 40_201);
        assert_eq!(collector.collect(), 0);
        drop(root);
        assert_eq!((collector.objects(), collector.collect()), (0, 0));
    }
}
