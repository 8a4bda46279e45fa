//! The feature `checked`: wrong `Trace` implementations are named at a death by the count, and by a collection.
#![allow(unsafe_code, reason = "wrong implementations of an unsafe trait are what is tested")]

use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};

use cpymem_cyclegc::{AnyGc, Clearer, Collector, Gc, Trace, Visitor, Weak};

#[derive(Trace)]
struct Leaf(u32);

/// How the `Trace` of a [`Wrong`] is wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Right,
    HidesSecond,
    HidesSecondAlsoFromClear,
    ReportsFirstTwice,
    ClearsNothing,
    SkipsSecond,
}

struct Wrong {
    how: How,
    first: Option<Gc<Leaf>>,
    second: Option<Gc<Leaf>>,
    cycle: RefCell<Option<Gc<Wrong>>>,
}

// SAFETY: there is none. Edges that are reported too often lead to objects that have a reference from outside, or to
// a pass that is given up.
unsafe impl Trace for Wrong {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        self.cycle.visit(visitor);
        self.first.visit(visitor);
        match self.how {
            How::HidesSecond | How::HidesSecondAlsoFromClear => {}
            How::SkipsSecond => visitor.skip(&self.second),
            _ => self.second.visit(visitor),
        }
        if self.how == How::ReportsFirstTwice {
            self.first.visit(visitor);
        }
    }

    fn clear(&mut self, clearer: &mut Clearer<'_>) {
        self.cycle.clear(clearer);
        if self.how == How::ClearsNothing {
            return;
        }
        self.first.clear(clearer);
        if !matches!(self.how, How::HidesSecondAlsoFromClear | How::SkipsSecond) {
            self.second.clear(clearer);
        }
    }
}

/// What is said when such an object dies: by its count, and by a collection.
fn said(how: How) -> [Option<String>; 2] {
    [false, true].map(|in_a_cycle| {
        let collector = Collector::new();
        let leaves = [collector.alloc(Leaf(1)), collector.alloc(Leaf(2))];
        // References from outside make up for those that are reported twice.
        let _kept = leaves.clone();
        let [first, second] = leaves.map(Some);
        let wrong = collector.alloc(Wrong { how, first, second, cycle: RefCell::default() });
        if in_a_cycle {
            *wrong.cycle.borrow_mut() = Some(wrong.clone());
        }
        let died = catch_unwind(AssertUnwindSafe(|| {
            drop(wrong);
            if in_a_cycle {
                assert_eq!(collector.collect(), 1);
            }
        }));
        assert_eq!(collector.objects(), 2, "the object is gone, whatever is wrong with it");
        died.err().map(|panic| *panic.downcast::<String>().unwrap())
    })
}

fn assert_named(how: How, parts: &[&str]) {
    for (death, said) in ["by its count", "by a collection"].iter().zip(said(how)) {
        let said = said.unwrap_or_else(|| panic!("{death}: nothing was said"));
        let of = ["checked: ", "checked::Wrong", "checked::Leaf"];
        assert!(of.iter().chain(parts).all(|part| said.contains(part)), "{death}: {said}");
    }
}

#[test]
fn a_right_implementation_is_left_alone() {
    assert_eq!(said(How::Right), [None, None]);
    assert_eq!(said(How::SkipsSecond), [None, None], "what is left out on purpose is not hidden");
}

#[test]
fn a_hidden_reference_is_named() {
    assert_named(How::HidesSecond, &["visit", "hides 1 reference"]);
    assert_named(How::HidesSecondAlsoFromClear, &["visit", "hides 1 reference"]);
}

#[test]
fn a_reference_that_is_reported_twice_is_named() {
    assert_named(How::ReportsFirstTwice, &["visit", "reports 2 references", "owns 1"]);
}

#[test]
fn a_reference_that_is_not_cleared_is_named() {
    let [by_count, by_collection] = said(How::ClearsNothing);
    assert!(by_count.is_none());
    assert!(
        by_collection
            .unwrap()
            .contains("`Trace::clear` of checked::Wrong leaves 1 reference(s) to checked::Leaf")
    );
}

/// Without a reference from outside that makes up for it, the pass is given up, and the types are named.
#[test]
fn more_references_than_there_are() {
    struct Twice(RefCell<Option<Gc<Twice>>>);
    // SAFETY: there is none: the edge is reported twice, so that passes are given up.
    unsafe impl Trace for Twice {
        fn visit(&self, visitor: &mut Visitor<'_>) {
            self.0.visit(visitor);
            self.0.visit(visitor);
        }

        fn clear(&mut self, clearer: &mut Clearer<'_>) {
            self.0.clear(clearer);
        }
    }
    let collector = Collector::new();
    let twice = collector.alloc(Twice(RefCell::default()));
    *twice.0.borrow_mut() = Some(twice.clone());
    let kept = Gc::downgrade(&twice);
    drop(twice);
    let panic = catch_unwind(AssertUnwindSafe(|| collector.collect())).unwrap_err();
    let said = panic.downcast::<String>().unwrap();
    assert!(said.contains("Twice reports 1 more reference(s) to"), "{said}");
    assert_eq!(collector.stats().inconsistent, 1);
    let broken = kept.upgrade().unwrap().0.take();
    let panic = catch_unwind(AssertUnwindSafe(|| drop(broken)));
    assert!(panic.is_ok(), "what is broken has no edges left");
}

/// What could look like a fault and is none.
#[test]
fn no_false_alarms() {
    thread_local! { static ELSEWHERE: RefCell<Vec<Gc<Leaf>>> = const { RefCell::new(Vec::new()) }; }

    #[derive(Trace)]
    #[trace(drop)]
    struct Moves {
        leaf: Option<Gc<Leaf>>,
        other: Option<Gc<Leaf>>,
        me: RefCell<Option<Gc<Moves>>>,
    }
    impl Drop for Moves {
        fn drop(&mut self) {
            // Out of the value, into it, made and dropped, and what was somebody else's.
            ELSEWHERE.with_borrow_mut(|elsewhere| elsewhere.extend(self.leaf.take()));
            drop(self.other.clone());
            drop(Gc::new(Leaf(5)));
            drop(ELSEWHERE.with_borrow_mut(Vec::pop));
        }
    }
    #[derive(Trace)]
    struct Skips {
        #[trace(skip)]
        leaf: Gc<Leaf>,
        kept: ManuallyDrop<Gc<Leaf>>,
        any: AnyGc,
    }
    #[derive(Trace)]
    struct Watches(RefCell<Weak<Leaf>>);

    let leaf = Gc::new(Leaf(0));
    for in_a_cycle in [false, true] {
        let [a, b] = [1, 2].map(|n| Some(Gc::new(Leaf(n))));
        let moves = Gc::new(Moves { leaf: a, other: b, me: RefCell::default() });
        if in_a_cycle {
            *moves.me.borrow_mut() = Some(moves.clone());
        }
        drop(moves);
        cpymem_cyclegc::collect();
        ELSEWHERE.take();
    }
    drop(Gc::new(Skips {
        leaf: leaf.clone(),
        kept: ManuallyDrop::new(leaf.clone()),
        any: AnyGc::from(leaf.clone()),
    }));
    // The callback owns a handle that nobody reports.
    let captured = leaf.clone();
    let weak = Gc::downgrade_with(&leaf, move |_| drop(captured));
    drop(Gc::new(Watches(RefCell::new(weak))));
    // A callback runs, and drops handles, while another object's value is being dropped.
    let inner = Gc::new(Leaf(3));
    let captured = leaf.clone();
    let _weak = Gc::downgrade_with(&inner, move |_| drop(captured));
    drop(Gc::new(vec![Some(inner), None]));
    // Deep enough for the trashcan.
    #[derive(Trace)]
    struct Link(Option<Gc<Link>>, Gc<Leaf>);
    let chain = (0..1000).fold(None, |next, _| Some(Gc::new(Link(next, leaf.clone()))));
    drop(chain);
    // A leaked mutable borrow hides what is in the cell.
    let cell = Gc::new(RefCell::new(Some(leaf.clone())));
    std::mem::forget(cell.borrow_mut());
    drop(cell);
    assert_eq!((Gc::strong_count(&leaf), leaf.0), (2, 0), "one handle was never dropped");
}
