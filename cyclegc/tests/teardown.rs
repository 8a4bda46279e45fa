//! Garbage of every kind beside each other: what may be freed in a stream, what has destructors, finalizers, callbacks or parts that nobody
//! knows. Whatever the mixture, what dies is what nothing reaches, once, and what is seen of it is the same.
#![allow(unsafe_code, reason = "Trace is an unsafe trait")]

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::mem::forget;
use std::rc::Rc;

use cpymem_cyclegc::{Clearer, Collector, Debug, Finalize, Gc, Trace, Visitor, Weak};

thread_local! {
    static COLLECTOR: RefCell<Option<Rc<Collector>>> = const { RefCell::new(None) };
    /// Who was dropped, in order.
    static DROPPED: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
    static FINALIZED: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
    static PANICKING: Cell<bool> = const { Cell::new(false) };
}

/// What a destructor of the program's may do: look at the heap, start collections, panic.
fn dropped(id: usize) {
    DROPPED.with_borrow_mut(|dropped| dropped.push(id));
    if let Some(collector) = COLLECTOR.with_borrow(Clone::clone) {
        drop(collector.get_objects(None));
        assert_eq!(collector.collect(), 0);
    }
    assert!(!(PANICKING.get() && id.is_multiple_of(3)), "a destructor panics");
}

type Edges = RefCell<Vec<Edge>>;

#[derive(Trace, Clone)]
enum Edge {
    Plain(Gc<Plain>),
    Noisy(Gc<Noisy>),
    Leafy(Gc<Leafy>),
    Keyed(Gc<Keyed>),
    Watching(Gc<Watching>),
    Finalized(Gc<Finalized>),
    Loud(Gc<Loud>),
}

/// Nothing of it runs code.
#[derive(Trace)]
struct Plain {
    edges: Edges,
    names: HashMap<String, Option<Edge>>,
    weak: RefCell<Weak<Plain>>,
}

/// Its own destructor does.
#[derive(Trace)]
#[trace(drop)]
struct Noisy {
    id: usize,
    edges: Edges,
}

impl Drop for Noisy {
    fn drop(&mut self) {
        dropped(self.id);
    }
}

/// A part of it does, of which nobody knows.
#[derive(Trace)]
struct Leafy {
    edges: Edges,
    leaf: Leaf,
}

struct Leaf(usize);

// SAFETY: it owns no `Gc`.
unsafe impl Trace for Leaf {
    fn visit(&self, _: &mut Visitor<'_>) {}

    fn clear(&mut self, _: &mut Clearer<'_>) {}
}

impl Drop for Leaf {
    fn drop(&mut self) {
        dropped(self.0);
    }
}

/// Severing it does: keys are taken out and dropped.
#[derive(Trace)]
struct Keyed {
    edges: Edges,
    keys: RefCell<BTreeMap<Key, Option<Edge>>>,
}

#[derive(Trace, PartialEq, Eq, PartialOrd, Ord)]
#[trace(drop)]
struct Key(usize);

impl Drop for Key {
    fn drop(&mut self) {
        dropped(self.0);
    }
}

/// The callback of a weak reference that it holds does, when it is dropped.
#[derive(Trace)]
struct Watching {
    edges: Edges,
    weak: RefCell<Option<Weak<Plain>>>,
}

#[derive(Trace)]
#[trace(finalize)]
struct Finalized {
    id: usize,
    edges: Edges,
}

impl Finalize for Finalized {
    fn finalize(this: &Gc<Finalized>) {
        FINALIZED.with_borrow_mut(|finalized| finalized.push(this.id));
    }
}

/// Owns no `Gc`, so it dies by its count alone.
#[derive(Trace)]
#[trace(drop)]
struct Loud(usize);

impl Drop for Loud {
    fn drop(&mut self) {
        dropped(self.0);
    }
}

impl Edge {
    fn edges(&self) -> Option<&Edges> {
        match self {
            Edge::Plain(gc) => Some(&gc.edges),
            Edge::Noisy(gc) => Some(&gc.edges),
            Edge::Leafy(gc) => Some(&gc.edges),
            Edge::Keyed(gc) => Some(&gc.edges),
            Edge::Watching(gc) => Some(&gc.edges),
            Edge::Finalized(gc) => Some(&gc.edges),
            Edge::Loud(_) => None,
        }
    }

    /// Whether its end is written down.
    fn is_heard(&self) -> bool {
        !matches!(self, Edge::Plain(_) | Edge::Finalized(_))
    }
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

const KINDS: usize = 7;

fn make(collector: &Collector, kind: usize, id: usize, live: &Gc<Plain>, random: &mut Random) -> Edge {
    let edges = RefCell::default;
    match kind {
        0 => Edge::Plain(collector.alloc(Plain {
            edges: edges(),
            names: (0..random.below(3)).map(|i| (i.to_string(), None)).collect(),
            weak: RefCell::default(),
        })),
        1 => Edge::Noisy(collector.alloc(Noisy { id, edges: edges() })),
        2 => Edge::Loud(collector.alloc(Loud(id))),
        3 => {
            /// Says so when the callback goes.
            struct Heard(usize);
            impl Drop for Heard {
                fn drop(&mut self) {
                    dropped(self.0);
                }
            }
            let heard = Heard(id);
            let weak = Gc::downgrade_with(live, move |_| forget(heard));
            Edge::Watching(collector.alloc(Watching { edges: edges(), weak: RefCell::new(Some(weak)) }))
        }
        4 => Edge::Leafy(collector.alloc(Leafy { edges: edges(), leaf: Leaf(id) })),
        5 => {
            let keys = RefCell::new([(Key(id), None)].into());
            Edge::Keyed(collector.alloc(Keyed { edges: edges(), keys }))
        }
        _ => Edge::Finalized(collector.alloc(Finalized { id, edges: edges() })),
    }
}

/// Objects of some kinds, of which a part is garbage; everything is compared with what is reachable.
fn mixed(seed: u64, kinds: &[usize]) {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let collector = Rc::new(Collector::new());
    collector.disable();
    collector.set_threads(1 + (seed % 3) as usize, 0);
    let live =
        collector.alloc(Plain { edges: RefCell::default(), names: HashMap::new(), weak: RefCell::default() });

    let count = 1 + random.below(400);
    let objects: Vec<Edge> = (0..count)
        .map(|id| make(&collector, kinds[random.below(kinds.len())], id, &live, &mut random))
        .collect();
    let mut targets = vec![Vec::new(); count];
    for (id, object) in objects.iter().enumerate() {
        let Some(edges) = object.edges() else { continue };
        for _ in 0..random.below(4) {
            let target = random.below(count);
            edges.borrow_mut().push(objects[target].clone());
            targets[id].push(target);
        }
        if random.below(20) == 0 {
            edges.borrow_mut().push(Edge::Plain(live.clone()));
        }
        if let (Edge::Plain(plain), Edge::Plain(other)) = (object, &objects[random.below(count)]) {
            *plain.weak.borrow_mut() = Gc::downgrade(other);
        }
        if targets[id].is_empty() && random.below(4) == 0 {
            edges.borrow_mut().push(Edge::Plain(live.clone()));
            forget(edges.borrow_mut()); // borrowed for good: nobody sees what it holds before it dies
        }
    }
    let weaks: Vec<(usize, Weak<Plain>)> = (0..count)
        .filter_map(|id| match &objects[id] {
            Edge::Plain(plain) if random.below(3) == 0 => Some((id, Gc::downgrade(plain))),
            _ => None,
        })
        .collect();
    let roots: Vec<usize> = (0..random.below(6)).map(|_| random.below(count)).collect();
    let held: Vec<Edge> = roots.iter().map(|&root| objects[root].clone()).collect();

    let mut alive = HashSet::new();
    let mut stack = roots;
    while let Some(id) = stack.pop() {
        if alive.insert(id) {
            stack.extend(&targets[id]);
        }
    }
    let heard: Vec<bool> = objects.iter().map(Edge::is_heard).collect();
    let tracked: Vec<bool> = objects.iter().map(|object| object.edges().is_some()).collect();
    let finalized: Vec<usize> =
        (0..count).filter(|id| matches!(objects[*id], Edge::Finalized(_)) && !alive.contains(id)).collect();

    collector.collect();
    assert!(DROPPED.take().is_empty() && FINALIZED.take().is_empty());
    let before = (collector.objects(), collector.stats().collected);
    drop(objects); // some die by their counts
    let at_once = before.0 - collector.objects();
    COLLECTOR.set(Some(Rc::clone(&collector)));
    let found = collector.collect();
    COLLECTOR.set(None);

    let dead: Vec<usize> = (0..count).filter(|id| !alive.contains(id)).collect();
    let (mut dropped, mut ran) = (DROPPED.take(), FINALIZED.take());
    dropped.sort_unstable();
    ran.sort_unstable();
    let expected: Vec<usize> = dead.iter().copied().filter(|&id| heard[id]).collect();
    assert_eq!(dropped, expected, "seed {seed}, kinds {kinds:?}");
    assert_eq!(ran, finalized, "seed {seed}, kinds {kinds:?}");
    assert_eq!(collector.objects(), 1 + alive.len(), "seed {seed}, kinds {kinds:?}");
    let dead_tracked = dead.iter().filter(|&&id| tracked[id]).count();
    assert!(found <= dead_tracked && dead_tracked <= found + at_once, "seed {seed}, kinds {kinds:?}");
    assert_eq!(collector.stats().collected - before.1, found);
    for (id, weak) in &weaks {
        assert_eq!(weak.upgrade().is_some(), alive.contains(id), "seed {seed}: weak reference to {id}");
    }

    drop((held, weaks, live));
    collector.collect();
    collector.collect(); // what a borrowed object has held
    DROPPED.take();
    FINALIZED.take();
    assert_eq!(collector.objects(), 0, "seed {seed}, kinds {kinds:?}");
    assert_eq!(collector.stats().inconsistent, 0);
}

#[test]
fn plain_alone() {
    (1..120).for_each(|seed| mixed(seed, &[0]));
}

#[test]
fn plain_beside_destructors() {
    (1..120).for_each(|seed| mixed(seed, &[0, 0, 0, 1, 2]));
    (1..120).for_each(|seed| mixed(seed, &[0, 0, 1, 2, 3]));
}

#[test]
fn plain_beside_unknown_parts() {
    (1..120).for_each(|seed| mixed(seed, &[0, 0, 1, 4]));
    (1..120).for_each(|seed| mixed(seed, &[0, 0, 1, 5]));
}

#[test]
fn plain_beside_finalizers() {
    (1..120).for_each(|seed| mixed(seed, &[0, 0, 1, 2, 6]));
}

#[test]
fn everything() {
    let all: Vec<usize> = (0..KINDS).collect();
    (1..200).for_each(|seed| mixed(seed, &all));
}

/// A ring of plain objects, every third of which leads to one whose destructor panics.
#[test]
fn panics_beside_plain_ones() {
    let collector = Collector::new();
    collector.disable();
    let panics = Rc::new(Cell::new(0));
    let counted = Rc::clone(&panics);
    collector.set_panic_hook(move |_| counted.set(counted.get() + 1));
    let ring = || {
        let plain = || Plain { edges: RefCell::default(), names: HashMap::new(), weak: RefCell::default() };
        let nodes: Vec<Gc<Plain>> = (0..300).map(|_| collector.alloc(plain())).collect();
        for (id, node) in nodes.iter().enumerate() {
            node.edges.borrow_mut().push(Edge::Plain(nodes[(id + 1) % 300].clone()));
            if id.is_multiple_of(3) {
                let noisy = collector.alloc(Noisy { id, edges: RefCell::default() });
                noisy.edges.borrow_mut().push(Edge::Plain(node.clone()));
                node.edges.borrow_mut().push(Edge::Noisy(noisy));
                node.edges.borrow_mut().push(Edge::Loud(collector.alloc(Loud(1000 + id))));
            }
        }
    };
    ring();
    PANICKING.set(true);
    assert_eq!(collector.collect(), 400);
    PANICKING.set(false);
    // First what was not garbage itself, then garbage in the order of its addresses.
    let loud = (0..300).step_by(3).map(|id| 1000 + id);
    assert_eq!(DROPPED.take(), loud.chain((0..300).step_by(3)).collect::<Vec<_>>());
    assert_eq!(panics.get(), (0..300).step_by(3).filter(|id| (1000 + id) % 3 == 0).count() + 100);
    assert_eq!(collector.objects(), 0);
    // Without a hook the collection panics at its end, when everything is done.
    collector.take_panic_hook();
    ring();
    PANICKING.set(true);
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| collector.collect()));
    PANICKING.set(false);
    assert!(result.is_err());
    assert_eq!((DROPPED.take().len(), collector.objects()), (200, 0));
}

/// A destructor that follows its own severed handles sees nothing, whatever was freed before it.
#[test]
fn destructors_see_nothing_of_plain_garbage() {
    #[derive(Trace)]
    #[trace(drop)]
    struct Curious {
        at: RefCell<Option<Gc<Plain>>>,
        weak: RefCell<Weak<Plain>>,
    }
    impl Drop for Curious {
        fn drop(&mut self) {
            let at = self.at.borrow();
            let at = at.as_ref().expect("it was set");
            assert!(Gc::try_deref(at).is_none() && Gc::try_deref(&at.clone()).is_none());
            assert!(self.weak.borrow().upgrade().is_none());
            DROPPED.with_borrow_mut(|dropped| dropped.push(1));
        }
    }
    #[derive(Trace)]
    struct Holder(RefCell<Vec<Gc<Curious>>>, RefCell<Option<Gc<Holder>>>);
    let collector = Collector::new();
    for _ in 0..100 {
        let plain = collector.alloc(Plain {
            edges: RefCell::default(),
            names: HashMap::new(),
            weak: RefCell::default(),
        });
        plain.edges.borrow_mut().push(Edge::Plain(plain.clone()));
        let curious = collector
            .alloc(Curious { weak: RefCell::new(Gc::downgrade(&plain)), at: RefCell::new(Some(plain)) });
        let holder = collector.alloc(Holder(RefCell::new(vec![curious]), RefCell::default()));
        *holder.1.borrow_mut() = Some(holder.clone());
    }
    collector.collect();
    assert_eq!((DROPPED.take().len(), collector.objects()), (100, 0));
}

/// What is counted and told of a collection does not depend on how its garbage goes.
#[test]
fn counts_and_callbacks_are_the_same() {
    let run = |debug: Debug| {
        let collector = Collector::new();
        collector.disable();
        collector.set_debug(debug);
        let told = Rc::new(RefCell::new(Vec::new()));
        let log = Rc::clone(&told);
        collector.add_callback(move |phase, info| log.borrow_mut().push((phase, info.collected)));
        let mut random = Random(7);
        let live = Edge::Plain(collector.alloc(Plain {
            edges: RefCell::default(),
            names: HashMap::new(),
            weak: RefCell::default(),
        }));
        let Edge::Plain(anchor) = &live else { unreachable!() };
        for id in 0..1000 {
            let object = make(&collector, id % 2, id, anchor, &mut random);
            if let Some(edges) = object.edges() {
                edges.borrow_mut().extend([object.clone(), live.clone()]);
            }
        }
        let found = collector.collect();
        let counts = collector.get_count();
        if debug == Debug::SAVEALL {
            assert_eq!(collector.garbage().len(), 1000);
            collector.set_debug(Debug::default());
            assert_eq!(collector.clear_garbage(), 1000);
            collector.collect();
        }
        assert_eq!((collector.objects(), DROPPED.take().len()), (1, 500));
        let told = told.take();
        (found, counts[1..].to_vec(), told[..2].to_vec(), collector.get_stats()[2].collections > 0)
    };
    assert_eq!(run(Debug::default()), run(Debug::SAVEALL));
}
