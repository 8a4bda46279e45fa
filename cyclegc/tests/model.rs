//! Random mutations against a slow, obvious oracle: reachability from the handles.
//!
//! 400,000 operations in the normal suite; `CPYMEM_MODEL_OPERATIONS` sets another number, `CPYMEM_MODEL_SEED` the first seed.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use cpymem_cyclegc::{AnyGc, Collector, Debug, Finalize, Gc, Generation, Trace, Weak, WeakrefOrder};

/// What happened to the objects, by id.
#[derive(Default)]
struct Log {
    dead: RefCell<BTreeSet<usize>>,
    died_twice: Cell<bool>,
    finalized: RefCell<BTreeSet<usize>>,
    finalized_twice: Cell<bool>,
    called: RefCell<BTreeSet<usize>>,
    called_twice: Cell<bool>,
    /// Objects that finalizers and callbacks resurrected.
    rescued: RefCell<Vec<Gc<Node>>>,
    /// Objects whose finalizer cut their edges.
    cut: RefCell<Vec<usize>>,
    panics: Cell<usize>,
}

/// What a node does when it is finalized and dropped.
#[derive(Clone, Copy, PartialEq)]
enum Character {
    Quiet,
    Rescues,
    CutsItsEdges,
    PanicsInFinalize,
    PanicsInDrop,
    AllocatesInDrop,
}

#[derive(Trace)]
#[trace(finalize, drop)]
struct Node {
    id: usize,
    edges: RefCell<Vec<Gc<Node>>>,
    weaks: RefCell<Vec<Weak<Node>>>,
    #[trace(skip)]
    character: Character,
    #[trace(skip)]
    log: Rc<Log>,
    #[trace(skip)]
    #[allow(dead_code, reason = "it only takes room")]
    padding: Padding,
}

/// Nodes of different sizes, one larger than any pool's blocks.
#[allow(dead_code, reason = "it only takes room")]
enum Padding {
    None,
    Some(Box<[u8; 100]>),
}

/// A node that is a run of its own.
#[derive(Trace)]
struct Large {
    node: RefCell<Option<Gc<Node>>>,
    _bytes: [u8; 10_000],
}

impl Finalize for Node {
    fn finalize(this: &Gc<Node>) {
        if !this.log.finalized.borrow_mut().insert(this.id) {
            this.log.finalized_twice.set(true);
        }
        match this.character {
            Character::Rescues => this.log.rescued.borrow_mut().push(this.clone()),
            Character::CutsItsEdges => {
                this.log.cut.borrow_mut().push(this.id);
                drop(this.edges.take());
            }
            Character::PanicsInFinalize => {
                this.log.panics.set(this.log.panics.get() + 1);
                std::panic::resume_unwind(Box::new("finalize"))
            }
            _ => {}
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if !self.log.dead.borrow_mut().insert(self.id) {
            self.log.died_twice.set(true);
        }
        // Whatever a destructor sees is alive or says that it is dead.
        for edge in self.edges.borrow().iter() {
            if let Some(node) = Gc::try_deref(edge) {
                assert!(!self.log.dead.borrow().contains(&node.id));
            }
        }
        match self.character {
            Character::PanicsInDrop if !std::thread::panicking() => {
                self.log.panics.set(self.log.panics.get() + 1);
                std::panic::resume_unwind(Box::new("drop"))
            }
            Character::AllocatesInDrop => drop(Gc::new(vec![Gc::new(self.id)])),
            _ => {}
        }
    }
}

/// xorshift64*.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }
}

struct Run {
    collector: Collector,
    log: Rc<Log>,
    random: Random,
    /// The oracle: edges by id, of objects that are not dead.
    edges: BTreeMap<usize, Vec<usize>>,
    handles: Vec<Gc<Node>>,
    weaks: Vec<(usize, Weak<Node>)>,
    larges: Vec<(Gc<Large>, Option<usize>)>,
    next_id: usize,
    garbage_kept: bool,
    frozen: bool,
    with_panics: bool,
}

impl Run {
    fn new(seed: u64) -> Run {
        let collector = Collector::new();
        let random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        match seed % 4 {
            0 => collector.disable(),
            1 => collector.set_threshold([5, 2, 2]),
            2 => collector.set_threshold([50, 3, 3]),
            _ => collector.set_weakref_order(WeakrefOrder::Py313),
        }
        Run {
            collector,
            log: Rc::default(),
            random,
            edges: BTreeMap::new(),
            handles: Vec::new(),
            weaks: Vec::new(),
            larges: Vec::new(),
            next_id: 0,
            garbage_kept: false,
            frozen: false,
            with_panics: seed.is_multiple_of(3),
        }
    }

    /// Runs something in which a destructor may panic.
    fn guarded<R: Default>(&mut self, run: impl FnOnce(&mut Run) -> R) -> R {
        match catch_unwind(AssertUnwindSafe(|| run(self))) {
            Ok(result) => result,
            Err(panic)
                if panic.downcast_ref::<&str>().is_some_and(|what| ["drop", "finalize"].contains(what)) =>
            {
                R::default()
            }
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    /// Takes in what finalizers did: rescued objects are handles, cut edges are gone.
    fn catch_up(&mut self) {
        let rescued = self.log.rescued.take();
        self.handles.extend(rescued);
        for id in self.log.cut.take() {
            self.edges.get_mut(&id).into_iter().for_each(Vec::clear);
        }
        let dead = self.log.dead.borrow();
        if !dead.is_empty() {
            self.edges.retain(|id, _| !dead.contains(id));
        }
    }

    /// Edges as they are, of all objects that handles reach: finalizers change them.
    fn reachable(&self) -> BTreeSet<usize> {
        let mut seen = BTreeSet::new();
        let roots = self.handles.iter().map(|node| node.id);
        let mut stack: Vec<usize> = roots.chain(self.larges.iter().filter_map(|large| large.1)).collect();
        while let Some(id) = stack.pop() {
            if seen.insert(id) {
                stack.extend(self.edges.get(&id).expect("a live object died"));
            }
        }
        seen
    }

    fn any_handle(&mut self) -> Option<Gc<Node>> {
        let n = self.handles.len();
        (n > 0).then(|| self.handles[self.random.below(n)].clone())
    }

    fn new_node(&mut self) -> Gc<Node> {
        let id = self.next_id;
        self.next_id += 1;
        self.edges.insert(id, Vec::new());
        let character = match self.random.below(40) {
            0 => Character::Rescues,
            1 => Character::CutsItsEdges,
            2 if self.with_panics => Character::PanicsInFinalize,
            3 if self.with_panics => Character::PanicsInDrop,
            4 => Character::AllocatesInDrop,
            _ => Character::Quiet,
        };
        let padding = match self.random.below(3) {
            0 => Padding::Some(Box::new([0; 100])),
            _ => Padding::None,
        };
        let (edges, weaks) = Default::default();
        self.collector.alloc(Node { id, edges, weaks, character, log: self.log.clone(), padding })
    }

    /// A full collection must leave just what is reachable, unless something was kept on purpose.
    fn collect_and_compare(&mut self) {
        // Rescued objects come back once each; after that a collection is exact.
        for _ in 0..3 {
            self.guarded(|run| run.collector.collect());
            self.catch_up();
        }
        if self.garbage_kept || self.frozen {
            return;
        }
        let reachable = self.reachable();
        let alive: BTreeSet<usize> = self.edges.keys().copied().collect();
        let stays: Vec<_> = alive.difference(&reachable).collect();
        assert!(stays.is_empty(), "dead objects stay: {stays:?}");
        let nodes = self.collector.get_objects(None).into_iter().filter(AnyGc::is::<Node>).count();
        assert_eq!(nodes, reachable.len());
        assert_eq!(self.guarded(|run| run.collector.collect()), 0);
    }

    fn operate(&mut self) {
        match self.random.below(100) {
            0..22 => {
                let node = self.guarded(|run| Some(run.new_node()));
                self.handles.extend(node);
            }
            22..45 => {
                if let (Some(a), Some(b)) = (self.any_handle(), self.any_handle()) {
                    a.edges.borrow_mut().push(b.clone());
                    self.edges.get_mut(&a.id).unwrap().push(b.id);
                }
            }
            45..55 => {
                if let Some(a) = self.any_handle() {
                    let degree = a.edges.borrow().len();
                    if degree > 0 {
                        let k = self.random.below(degree);
                        self.edges.get_mut(&a.id).unwrap().swap_remove(k);
                        self.guarded(|_| {
                            let gone = a.edges.borrow_mut().swap_remove(k);
                            drop(gone);
                        });
                    }
                }
            }
            55..62 => {
                if let Some(a) = self.any_handle() {
                    let edges = a.edges.borrow();
                    if !edges.is_empty() {
                        let target = edges[self.random.below(edges.len())].clone();
                        self.handles.push(target);
                    }
                }
            }
            62..84 => {
                if !self.handles.is_empty() {
                    let k = self.random.below(self.handles.len());
                    self.guarded(|run| drop(run.handles.swap_remove(k)));
                }
            }
            84..87 => {
                if let (Some(a), Some(b)) = (self.any_handle(), self.any_handle()) {
                    let weak = match self.random.below(3) {
                        0 => Gc::downgrade(&a),
                        _ => {
                            let (log, id) = (self.log.clone(), self.next_id);
                            self.next_id += 1;
                            Gc::downgrade_with(&a, move |weak| {
                                assert!(weak.upgrade().is_none());
                                if !log.called.borrow_mut().insert(id) {
                                    log.called_twice.set(true);
                                }
                            })
                        }
                    };
                    match self.random.below(3) {
                        0 => b.weaks.borrow_mut().push(weak), // inside the heap
                        _ => self.weaks.push((a.id, weak)),
                    }
                }
            }
            87..89 => {
                if !self.weaks.is_empty() {
                    let k = self.random.below(self.weaks.len());
                    let (id, weak) = &self.weaks[k];
                    match weak.upgrade() {
                        Some(strong) => {
                            assert_eq!(strong.id, *id);
                            assert!(!self.log.dead.borrow().contains(id));
                            self.handles.push(strong);
                        }
                        None => drop(self.weaks.swap_remove(k)),
                    }
                }
            }
            89..92 => {
                let generation = Generation::ALL[self.random.below(3)];
                self.guarded(|run| run.collector.collect_generation(generation));
            }
            92..95 => {
                let budget = Duration::from_micros([0, 5, 1000][self.random.below(3)]);
                self.guarded(|run| run.collector.step(budget));
            }
            95 => {
                // A collection while something is borrowed.
                if let Some(a) = self.any_handle() {
                    let borrowed = a.edges.borrow_mut();
                    self.guarded(|run| run.collector.collect());
                    drop(borrowed);
                }
            }
            96 => {
                let large = self.any_handle();
                let id = large.as_ref().map(|node| node.id);
                let node = RefCell::new(large);
                let large =
                    self.guarded(|run| Some(run.collector.alloc(Large { node, _bytes: [0; 10_000] })));
                if let Some(large) = large {
                    self.larges.push((large, id));
                }
                if self.larges.len() > 5 {
                    let k = self.random.below(5);
                    self.guarded(|run| drop(run.larges.swap_remove(k)));
                }
            }
            97 => match self.random.below(20) {
                0 => {
                    self.collector.freeze();
                    self.frozen = true;
                }
                1..5 => {
                    self.collector.unfreeze();
                    self.frozen = false;
                }
                5 => {
                    self.collector.set_debug(Debug::SAVEALL);
                    self.garbage_kept = true;
                }
                6..10 => {
                    self.collector.set_debug(Debug::NONE);
                    self.guarded(|run| run.collector.clear_garbage());
                    self.garbage_kept = false;
                }
                10..14 => {
                    // Everything that there is, and who refers to whom, as handles for a moment.
                    let objects = self.collector.get_objects(None);
                    let referrers = self.collector.get_referrers(&objects);
                    assert!(referrers.len() <= objects.len());
                    self.guarded(|_| drop((objects, referrers)));
                }
                _ => {}
            },
            98 => {
                // Everything falls apart now and then.
                if self.handles.len() > 200 {
                    let handles = std::mem::take(&mut self.handles);
                    for handle in handles {
                        self.guarded(|_| drop(handle));
                    }
                }
            }
            _ => self.collect_and_compare(),
        }
        self.catch_up();
    }

    fn check(&self) {
        self.reachable();
        assert!(!self.log.died_twice.get(), "an object died twice");
        assert!(!self.log.finalized_twice.get(), "an object was finalized twice");
        assert!(!self.log.called_twice.get(), "a callback was called twice");
        assert_eq!(self.collector.stats().inconsistent, 0);
    }

    fn finish(mut self) {
        self.collector.unfreeze();
        self.collector.set_debug(Debug::NONE);
        self.guarded(|run| run.collector.clear_garbage());
        (self.frozen, self.garbage_kept) = (false, false);
        self.collect_and_compare();
        self.check();
        // What is rescued is let go, and rescues what only it held, and so on: each object once.
        while !self.handles.is_empty() || !self.larges.is_empty() {
            for handle in std::mem::take(&mut self.handles) {
                self.guarded(|_| drop(handle));
            }
            for large in std::mem::take(&mut self.larges) {
                self.guarded(|_| drop(large));
            }
            self.collect_and_compare();
        }
        self.check();
        assert_eq!(self.log.dead.borrow().len(), self.log.finalized.borrow().len());
        assert!(self.weaks.iter().all(|(_, weak)| weak.upgrade().is_none()));
        assert_eq!(self.collector.objects(), 0);
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().expect(name))
}

#[test]
fn nothing_live_dies_and_nothing_dead_stays() {
    let operations = number("CPYMEM_MODEL_OPERATIONS", 400_000);
    let first = number("CPYMEM_MODEL_SEED", 1);
    const RUN: u64 = 4000;
    for seed in first..first + operations.div_ceil(RUN) {
        let run = catch_unwind(|| {
            let mut run = Run::new(seed);
            for operation in 0..RUN {
                run.operate();
                if operation % 64 == 0 {
                    run.check();
                }
            }
            run.finish();
        });
        if let Err(panic) = run {
            eprintln!("seed {seed}");
            std::panic::resume_unwind(panic);
        }
    }
}
