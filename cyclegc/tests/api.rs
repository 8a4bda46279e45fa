//! What a user of `Gc` relies on, cycle by cycle. Names in brackets are those of CPython's `test_gc.py`.

mod common;

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, LinkedList, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use common::Liar;
use cpymem_cyclegc::{Clearer, Collector, Gc, Trace, Visitor, Weak, collect};

/// A node that counts its deaths.
#[derive(Trace)]
#[trace(drop)]
struct Node {
    edges: RefCell<Vec<Gc<Node>>>,
    #[trace(skip)]
    deaths: Rc<Cell<usize>>,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.deaths.set(self.deaths.get() + 1);
    }
}

/// A collector and the number of nodes that died.
struct World {
    collector: Collector,
    deaths: Rc<Cell<usize>>,
}

impl World {
    fn new() -> World {
        World { collector: Collector::new(), deaths: Rc::default() }
    }

    fn node(&self, edges: &[&Gc<Node>]) -> Gc<Node> {
        let edges = RefCell::new(edges.iter().map(|&edge| edge.clone()).collect());
        self.collector.alloc(Node { edges, deaths: self.deaths.clone() })
    }
}

fn link(from: &Gc<Node>, to: &Gc<Node>) {
    from.edges.borrow_mut().push(to.clone());
}

#[test]
fn without_a_cycle_an_object_dies_with_its_last_reference() {
    let world = World::new();
    let leaf = world.node(&[]);
    let root = world.node(&[&leaf, &leaf]);
    assert_eq!(Gc::strong_count(&leaf), 3);
    drop(leaf);
    assert_eq!(world.deaths.get(), 0);
    drop(root);
    assert_eq!((world.deaths.get(), world.collector.objects()), (2, 0));
    assert_eq!(world.collector.collect(), 0);
}

#[test]
fn a_self_reference_is_one_object() {
    // [test_list]
    let world = World::new();
    let node = world.node(&[]);
    link(&node, &node.clone());
    assert_eq!(world.collector.collect(), 0);
    drop(node);
    assert_eq!((world.deaths.get(), world.collector.collect(), world.deaths.get()), (0, 1, 1));
    assert_eq!(world.collector.collect(), 0);
}

#[test]
fn a_cycle_with_what_hangs_on_it() {
    let world = World::new();
    let (a, b, tail, kept) = (world.node(&[]), world.node(&[]), world.node(&[]), world.node(&[]));
    link(&a, &b);
    link(&b, &a);
    link(&b, &tail);
    link(&a, &kept);
    drop((a, b, tail));
    assert_eq!(world.collector.collect(), 3);
    assert_eq!((world.deaths.get(), Gc::strong_count(&kept)), (3, 1));
}

#[test]
fn one_reference_from_outside_keeps_the_whole_component() {
    let world = World::new();
    let nodes: Vec<_> = (0..50).map(|_| world.node(&[])).collect();
    for i in 0..50 {
        link(&nodes[i], &nodes[(i + 1) % 50]);
        link(&nodes[i], &nodes[i * 7 % 50]);
    }
    let kept = nodes[17].clone();
    drop(nodes);
    assert_eq!(world.collector.collect(), 0);
    drop(kept);
    assert_eq!((world.collector.collect(), world.deaths.get()), (50, 50));
}

#[test]
fn every_container_of_std_is_followed_and_severed() {
    #[derive(Trace, Default)]
    struct Holder {
        option: RefCell<Option<Gc<Holder>>>,
        boxed: RefCell<Option<Box<Gc<Holder>>>>,
        result: RefCell<Option<Result<Gc<Holder>, Gc<Holder>>>>,
        vec: RefCell<Vec<Gc<Holder>>>,
        deque: RefCell<VecDeque<(u8, Gc<Holder>)>>,
        list: RefCell<LinkedList<[Gc<Holder>; 2]>>,
        map: RefCell<HashMap<String, Gc<Holder>>>,
        tree: RefCell<BTreeMap<u32, Vec<Gc<Holder>>>>,
        keys: RefCell<HashMap<Key, ()>>,
        tree_keys: RefCell<BTreeMap<Key, String>>,
        set: RefCell<HashSet<Key>>,
        tree_set: RefCell<BTreeSet<Key>>,
        heap: RefCell<BinaryHeap<Key>>,
        slice: RefCell<Box<[Gc<Holder>]>>,
        dynamic: RefCell<Option<Box<dyn Trace>>>,
        once: OnceCell<Gc<Holder>>,
    }

    /// A key that is compared by address.
    #[derive(Trace)]
    struct Key(Gc<Holder>);
    impl PartialEq for Key {
        fn eq(&self, other: &Key) -> bool {
            Gc::ptr_eq(&self.0, &other.0)
        }
    }
    impl Eq for Key {}
    impl std::hash::Hash for Key {
        fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
            (&raw const *self.0).hash(state);
        }
    }
    impl PartialOrd for Key {
        fn partial_cmp(&self, other: &Key) -> Option<std::cmp::Ordering> {
            Some(self.cmp(other))
        }
    }
    impl Ord for Key {
        fn cmp(&self, other: &Key) -> std::cmp::Ordering {
            (&raw const *self.0).cmp(&&raw const *other.0)
        }
    }

    type Tie = fn(&Holder, Gc<Holder>);
    let ties: &[Tie] = &[
        |h, gc| *h.option.borrow_mut() = Some(gc),
        |h, gc| *h.boxed.borrow_mut() = Some(Box::new(gc)),
        |h, gc| *h.result.borrow_mut() = Some(Ok(gc)),
        |h, gc| *h.result.borrow_mut() = Some(Err(gc)),
        |h, gc| h.vec.borrow_mut().push(gc),
        |h, gc| h.deque.borrow_mut().push_front((1, gc)),
        |h, gc| h.list.borrow_mut().push_back([gc.clone(), gc]),
        |h, gc| drop(h.map.borrow_mut().insert("x".into(), gc)),
        |h, gc| drop(h.tree.borrow_mut().insert(5, vec![gc])),
        |h, gc| assert!(h.keys.borrow_mut().insert(Key(gc), ()).is_none()),
        |h, gc| drop(h.tree_keys.borrow_mut().insert(Key(gc), "y".into())),
        |h, gc| assert!(h.set.borrow_mut().insert(Key(gc))),
        |h, gc| assert!(h.tree_set.borrow_mut().insert(Key(gc))),
        |h, gc| h.heap.borrow_mut().push(Key(gc)),
        |h, gc| *h.slice.borrow_mut() = Box::new([gc]),
        |h, gc| *h.dynamic.borrow_mut() = Some(Box::new(RefCell::new(vec![gc]))),
        |h, gc| drop(h.once.set(gc)),
    ];
    for (i, tie) in ties.iter().enumerate() {
        let collector = Collector::new();
        let holder = collector.alloc(Holder::default());
        tie(&holder, holder.clone());
        assert_eq!(collector.collect(), 0, "tie {i}");
        drop(holder);
        assert_eq!(collector.collect(), 1, "tie {i}");
        assert_eq!(collector.objects(), 0, "tie {i}");
    }
}

#[test]
fn types_without_a_gc_are_never_tracked() {
    #[derive(Trace)]
    #[allow(dead_code, reason = "the fields are looked at by the derive")]
    struct Plain {
        name: String,
        numbers: Vec<u32>,
        pair: (u8, Option<[f64; 2]>),
    }
    #[derive(Trace)]
    #[allow(dead_code, reason = "the fields are looked at by the derive")]
    enum Tree {
        Leaf,
        Branch(Vec<Tree>),
        Named { child: Box<Tree> },
    }
    assert!(!Plain::needs_trace() && !<(u8, String)>::needs_trace() && !Weak::<Node>::needs_trace());
    assert!(Node::needs_trace() && <Option<Gc<u8>>>::needs_trace() && Tree::needs_trace());
    let collector = Collector::new();
    let plain = collector.alloc(Plain { name: "x".into(), numbers: vec![1], pair: (1, None) });
    let tree = collector.alloc(Tree::Branch(vec![Tree::Leaf, Tree::Named { child: Box::new(Tree::Leaf) }]));
    assert_eq!((collector.collect(), collector.objects()), (0, 2));
    drop((plain, tree));
    assert_eq!(collector.objects(), 0);
}

#[test]
fn an_untracked_object_that_only_garbage_holds_dies_with_it() {
    #[derive(Trace)]
    struct Holder {
        me: RefCell<Option<Gc<Holder>>>,
        leaf: Gc<Leaf>,
    }
    #[derive(Trace)]
    #[trace(drop)]
    struct Leaf(#[trace(skip)] Rc<Cell<bool>>);
    impl Drop for Leaf {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }
    let dropped = Rc::new(Cell::new(false));
    let collector = Collector::new();
    let holder =
        collector.alloc(Holder { me: RefCell::new(None), leaf: collector.alloc(Leaf(dropped.clone())) });
    *holder.me.borrow_mut() = Some(holder.clone());
    assert_eq!(Gc::strong_count(&holder.leaf), 1);
    drop(holder);
    assert!(!dropped.get());
    assert_eq!((collector.collect(), dropped.get(), collector.objects()), (1, true, 0));
}

#[test]
fn weak_references_die_before_the_first_destructor() {
    #[derive(Trace)]
    #[trace(drop)]
    struct Watcher {
        other: RefCell<Option<Gc<Watcher>>>,
        weak: RefCell<Weak<Watcher>>,
        #[trace(skip)]
        seen: Rc<Cell<usize>>,
    }
    impl Drop for Watcher {
        fn drop(&mut self) {
            assert!(self.weak.borrow().upgrade().is_none(), "a weak reference to garbage is dead");
            let other = self.other.borrow();
            let other = other.as_ref().expect("a severed handle stays where it was");
            assert!(Gc::try_deref(other).is_none() && Gc::strong_count(other) == 0);
            assert!(Gc::try_deref(&other.clone()).is_none());
            assert!(catch_unwind(AssertUnwindSafe(|| other.seen.get())).is_err());
            self.seen.set(self.seen.get() + 1);
        }
    }
    let collector = Collector::new();
    let seen = Rc::new(Cell::new(0));
    let make = || Watcher { other: RefCell::new(None), weak: RefCell::default(), seen: seen.clone() };
    let (a, b) = (collector.alloc(make()), collector.alloc(make()));
    for (from, to) in [(&a, &b), (&b, &a)] {
        *from.other.borrow_mut() = Some(to.clone());
        *from.weak.borrow_mut() = Gc::downgrade(to);
    }
    let outside = Gc::downgrade(&a);
    drop((a, b));
    assert_eq!(outside.strong_count(), 1);
    assert!(outside.upgrade().is_some());
    assert_eq!((collector.collect(), seen.get()), (2, 2));
    assert!(outside.upgrade().is_none());
    assert_eq!((outside.strong_count(), outside.weak_count()), (0, 1));
}

#[test]
fn a_weak_reference_sees_a_death_by_count_too() {
    let collector = Collector::new();
    let strong = collector.alloc(5);
    let weak = Gc::downgrade(&strong);
    let again = weak.upgrade().unwrap();
    assert!(Gc::ptr_eq(&strong, &again) && weak.ptr_eq(&weak.clone()));
    assert_eq!((Gc::strong_count(&strong), Gc::weak_count(&strong)), (2, 1));
    drop((strong, again));
    assert!(weak.upgrade().is_none());
    assert!(Weak::<u8>::new().upgrade().is_none());
    assert_eq!(collector.objects(), 0);
}

#[test]
fn a_mutably_borrowed_cell_pins_what_it_owns() {
    let world = World::new();
    let (holder, inner) = (world.node(&[]), world.node(&[]));
    link(&inner, &inner.clone());
    link(&holder, &inner);
    drop(inner);
    let borrow = holder.edges.borrow_mut();
    assert_eq!(world.collector.collect(), 0);
    assert_eq!(world.deaths.get(), 0);
    drop(borrow);
    // A borrow that is never given back: the holder is garbage and found, what it owns is pinned until the
    // holder is gone.
    link(&holder, &holder.clone());
    std::mem::forget(holder.edges.borrow_mut());
    drop(holder);
    assert_eq!(world.collector.collect(), 0);
    assert_eq!(world.deaths.get(), 0);
}

#[test]
fn a_panicking_destructor_stops_nothing() {
    #[derive(Trace)]
    #[trace(drop)]
    struct Bomb {
        next: RefCell<Option<Gc<Bomb>>>,
        #[trace(skip)]
        deaths: Rc<Cell<usize>>,
    }
    impl Drop for Bomb {
        fn drop(&mut self) {
            self.deaths.set(self.deaths.get() + 1);
            if self.deaths.get().is_multiple_of(3) {
                panic!("bomb {}", self.deaths.get());
            }
        }
    }
    let collector = Collector::new();
    let deaths = Rc::new(Cell::new(0));
    let ring = || {
        let first = collector.alloc(Bomb { next: RefCell::new(None), deaths: deaths.clone() });
        let mut last = first.clone();
        for _ in 1..10 {
            let next = collector.alloc(Bomb { next: RefCell::new(None), deaths: deaths.clone() });
            *last.next.borrow_mut() = Some(next.clone());
            last = next;
        }
        *last.next.borrow_mut() = Some(first);
    };
    ring();
    let panic = catch_unwind(AssertUnwindSafe(|| collector.collect())).unwrap_err();
    assert_eq!(panic.downcast_ref::<String>().unwrap(), "bomb 3");
    assert_eq!((deaths.get(), collector.objects()), (10, 0));
    ring();
    assert!(catch_unwind(AssertUnwindSafe(|| collector.collect())).is_err());
    assert_eq!((deaths.get(), collector.objects(), collector.stats().collections), (20, 0, 2));
}

#[test]
fn a_collection_inside_a_destructor_does_nothing() {
    #[derive(Trace)]
    #[trace(drop)]
    struct Greedy {
        me: RefCell<Option<Gc<Greedy>>>,
        #[trace(skip)]
        found: Rc<Cell<Option<usize>>>,
    }
    impl Drop for Greedy {
        fn drop(&mut self) {
            // New objects, cycles included, are no business of the pass that runs.
            let node = Gc::new(Greedy { me: RefCell::new(None), found: Rc::default() });
            std::mem::forget(node.me.replace(Some(node.clone())));
            let found = collect();
            self.found.set(Some(found));
            std::mem::forget(node); // leave it: its own destructor would do the same again
        }
    }
    let found = Rc::new(Cell::new(None));
    let greedy = Gc::new(Greedy { me: RefCell::new(None), found: found.clone() });
    *greedy.me.borrow_mut() = Some(greedy.clone());
    drop(greedy);
    assert_eq!(collect(), 1);
    assert_eq!(found.get(), Some(0));
    assert_eq!(collect(), 0);
}

#[test]
fn a_cycle_across_two_collectors_is_left_alone() {
    let (one, two) = (World::new(), World::new());
    let (a, b) = (one.node(&[]), two.node(&[]));
    link(&a, &b);
    link(&b, &a);
    drop((a, b));
    assert_eq!((one.collector.collect(), two.collector.collect()), (0, 0));
    assert_eq!(one.deaths.get() + two.deaths.get(), 0);
}

#[test]
fn garbage_that_refers_to_another_collector_lets_go_of_it() {
    let (one, two) = (World::new(), World::new());
    let outside = two.node(&[]);
    let a = one.node(&[&outside]);
    link(&a, &a.clone());
    drop((a, outside));
    assert_eq!((one.collector.collect(), two.deaths.get(), two.collector.objects()), (1, 1, 0));
}

#[test]
fn objects_outlive_their_collector() {
    let deaths = Rc::new(Cell::new(0));
    let kept = {
        let world = World { collector: Collector::new(), deaths: deaths.clone() };
        let (kept, garbage) = (world.node(&[]), world.node(&[]));
        link(&garbage, &garbage.clone());
        link(&kept, &world.node(&[]));
        kept
    };
    assert_eq!(deaths.get(), 1, "dropping a collector collects");
    assert_eq!(Gc::strong_count(&kept.edges.borrow()[0]), 1);
    drop(kept);
    assert_eq!(deaths.get(), 3);
}

#[test]
fn the_thread_collects_its_own_at_its_end() {
    let (send, receive) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        #[derive(Trace)]
        #[trace(drop)]
        struct Sender {
            me: RefCell<Option<Gc<Sender>>>,
            #[trace(skip)]
            send: std::sync::mpsc::Sender<u8>,
        }
        impl Drop for Sender {
            fn drop(&mut self) {
                self.send.send(1).unwrap();
            }
        }
        let node = Gc::new(Sender { me: RefCell::new(None), send });
        *node.me.borrow_mut() = Some(node.clone());
    })
    .join()
    .unwrap();
    assert_eq!(receive.iter().count(), 1);
}

#[test]
fn objects_are_made_and_dropped_while_a_thread_ends() {
    thread_local! {
        static LATE: RefCell<Option<Late>> = const { RefCell::new(None) };
    }
    struct Late(Gc<RefCell<Vec<Gc<u32>>>>);
    impl Drop for Late {
        fn drop(&mut self) {
            // Whichever of the two thread-locals dies first, this runs at a thread's end.
            self.0.borrow_mut().push(Gc::new(7));
            let fresh = Gc::new(RefCell::new(vec![self.0.borrow()[0].clone()]));
            assert_eq!(*fresh.borrow()[0], 7);
            collect();
        }
    }
    for first in [true, false] {
        std::thread::spawn(move || {
            if first {
                drop(Gc::new(1));
            }
            LATE.with(|late| *late.borrow_mut() = Some(Late(Gc::new(RefCell::default()))));
        })
        .join()
        .unwrap();
    }
}

#[test]
fn new_cyclic_gives_an_object_that_knows_itself() {
    #[derive(Trace)]
    struct Me(
        Weak<Me>,
        #[trace(skip)]
        #[allow(dead_code, reason = "it counts")]
        Rc<Cell<usize>>,
    );
    let world = Rc::new(Cell::new(0));
    let me = Gc::new_cyclic(|me| {
        assert!(me.upgrade().is_none());
        collect(); // the object without a value is not looked at
        Me(me.clone(), world.clone())
    });
    assert!(Gc::ptr_eq(&me, &me.0.upgrade().unwrap()));
    assert_eq!((Gc::strong_count(&me), Gc::weak_count(&me), Rc::strong_count(&world)), (1, 1, 2));
    drop(me);
    assert_eq!(Rc::strong_count(&world), 1);
    let failed = catch_unwind(AssertUnwindSafe(|| {
        Gc::<Me>::new_cyclic(|me| {
            let _kept = me.clone();
            panic!("no value");
        })
    }));
    assert!(failed.is_err());
    assert_eq!(collect(), 0);
}

#[test]
#[cfg_attr(feature = "checked", ignore = "the feature panics at what this looks into")]
fn a_trace_that_reports_an_edge_twice_is_noticed() {
    let collector = Collector::new();
    let liar = collector.alloc(Liar::default());
    liar.0.borrow_mut().push(collector.alloc(Liar::default()));
    assert_eq!(collector.collect(), 0);
    assert_eq!(collector.stats().inconsistent, 1);
    assert!(liar.0.borrow()[0].0.borrow().is_empty());
}

#[test]
fn a_panic_in_visit_leaves_the_heap_as_it_was() {
    struct Moody(RefCell<Vec<Gc<Moody>>>, Rc<Cell<u32>>);
    #[allow(unsafe_code, reason = "a hand-written implementation")]
    // SAFETY: each edge is reported once, or the visit panics.
    unsafe impl Trace for Moody {
        fn visit(&self, visitor: &mut Visitor<'_>) {
            let left = self.1.get();
            self.1.set(left.wrapping_sub(1));
            assert_ne!(left, 0, "moody");
            visitor.visit(&self.0);
        }
        fn clear(&mut self, clearer: &mut Clearer<'_>) {
            clearer.clear(&mut self.0);
        }
    }
    let calls = Rc::new(Cell::new(u32::MAX));
    for moment in 0..12 {
        let collector = Collector::new();
        let nodes: Vec<_> =
            (0..6).map(|_| collector.alloc(Moody(RefCell::default(), calls.clone()))).collect();
        for (i, node) in nodes.iter().enumerate() {
            node.0.borrow_mut().push(nodes[(i + 1) % 3].clone());
        }
        let kept = nodes[5].clone();
        drop(nodes);
        calls.set(moment);
        let first = catch_unwind(AssertUnwindSafe(|| collector.collect()));
        calls.set(u32::MAX);
        // 3 to 5 lead into the ring 0 to 2; 3 and 4 died by count, 5 is kept and keeps the ring.
        assert_eq!(first.is_err(), moment < 8, "{moment}");
        assert_eq!((collector.collect(), collector.objects()), (0, 4));
        drop(kept);
        assert_eq!((collector.collect(), collector.objects()), (3, 0));
    }
}

#[test]
fn more_references_than_16_bits_count() {
    let world = World::new();
    let hub = world.node(&[]);
    for _ in 0..70_000 {
        link(&hub, &hub.clone());
    }
    let spoke = world.node(&[&hub]);
    assert_eq!(Gc::strong_count(&hub), 70_002);
    assert_eq!(world.collector.collect(), 0);
    drop(hub);
    assert_eq!(world.collector.collect(), 0, "the spoke's handle keeps it");
    let handles: Vec<_> = (0..70_000).map(|_| spoke.edges.borrow()[0].clone()).collect();
    drop(spoke);
    assert_eq!(world.collector.collect(), 0);
    drop(handles);
    assert_eq!((world.collector.collect(), world.deaths.get()), (1, 2));
}

#[test]
fn handles_behave_like_the_value() {
    let (a, b) = (Gc::new(String::from("a")), Gc::new(String::from("b")));
    assert!(a < b && a == a.clone() && a != b);
    assert_eq!(format!("{a} {b:?}"), "a \"b\"");
    assert_eq!(size_of::<Option<Gc<u64>>>(), size_of::<usize>());
    let set: HashSet<Gc<String>> = [a.clone(), b].into();
    assert!(set.contains(&String::from("a")) && !set.contains(&String::from("c")));
    assert_eq!(*Gc::<u8>::default(), 0);
    assert_eq!(format!("{:p}", a), format!("{:p}", a.clone()));
}

#[test]
fn large_and_aligned_values() {
    #[derive(Trace)]
    #[repr(align(256))]
    struct Aligned {
        next: RefCell<Option<Gc<Aligned>>>,
        bytes: [u8; 20_000],
    }
    let collector = Collector::new();
    let make = |fill| collector.alloc(Aligned { next: RefCell::new(None), bytes: [fill; 20_000] });
    let (a, b) = (make(1), make(2));
    *a.next.borrow_mut() = Some(b.clone());
    *b.next.borrow_mut() = Some(a.clone());
    assert_eq!((&raw const *a).addr() % 256, 0);
    assert!(a.bytes.iter().all(|&x| x == 1) && b.bytes.iter().all(|&x| x == 2));
    drop((a, b));
    assert_eq!((collector.collect(), collector.objects()), (2, 0));
}
