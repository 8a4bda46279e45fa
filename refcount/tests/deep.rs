//! Deep and wide structures on small stacks, destructors that do unusual things, and panics among them.

use allocator_api2::alloc::Global;
use cpymem_refcount::freelist::PerThread;
use cpymem_refcount::raw::trashcan::{self, DEPTH_LIMIT};
use cpymem_refcount::rc::{Rc, Watch, Weak};
use cpymem_refcount::sync;
use cpymem_refcount::unsize;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// With `checked` every object is in a table.
const MANY: usize = if cfg!(feature = "checked") { 100_000 } else { 10_000_000 };
const SMALL_STACK: usize = 512 << 10;

fn on_small_stack(test: impl FnOnce() + Send + 'static) {
    thread::Builder::new().stack_size(SMALL_STACK).spawn(test).unwrap().join().unwrap();
}

thread_local! {
    static DROPS: Cell<usize> = const { Cell::new(0) };
}

/// Counts drops of this thread.
struct Counted;

impl Drop for Counted {
    fn drop(&mut self) {
        DROPS.set(DROPS.get() + 1);
    }
}

fn expect_drops(count: usize) {
    assert_eq!(DROPS.replace(0), count);
    assert_eq!(trashcan::leaked(), 0);
}

struct Link {
    _next: Option<Rc<Link>>,
    _counted: Counted,
}

fn chain(length: usize) -> Option<Rc<Link>> {
    (0..length).fold(None, |next, _| Some(Rc::new(Link { _next: next, _counted: Counted })))
}

#[test]
fn chain_of_ten_million() {
    on_small_stack(|| {
        drop(chain(MANY));
        expect_drops(MANY);
    });
}

/// Links of every kind in turn: they share one queue.
#[test]
fn chain_of_ten_million_of_every_kind() {
    type CountingFirst = sync::Arc<Mixed, Global, sync::CountFirst>;
    #[expect(dead_code, reason = "owns the rest")]
    enum Next {
        End,
        Local(Rc<Mixed>),
        Shared(sync::Arc<Mixed>),
        CountingFirst(CountingFirst),
        Pinned(std::pin::Pin<Rc<Mixed>>),
        FreeList(Rc<Mixed, PerThread>),
        Slice(sync::Arc<[Mixed]>),
        Object(Rc<dyn std::any::Any>),
        Detached(Rc<Mixed>),
    }
    struct Mixed(#[expect(dead_code, reason = "owns the rest")] Next, Counted);
    on_small_stack(|| {
        let mut next = Next::End;
        for i in 0..MANY {
            let link = Mixed(next, Counted);
            next = match i % 8 {
                0 => Next::Local(Rc::new(link)),
                1 => Next::Shared(sync::Arc::new(link)),
                2 => Next::CountingFirst(sync::Arc::with_policy(sync::Arc::new(link))),
                3 => Next::Pinned(Rc::pin(link)),
                4 => Next::FreeList(Rc::new_in(link, PerThread)),
                5 => Next::Slice([link].into()),
                6 => Next::Object(unsize!(Rc::new(link))),
                _ => {
                    // With a callback, and so with a side header.
                    let link = Rc::new(link);
                    drop(Watch::detach(Rc::downgrade_with(&link, |_| CALLS.set(CALLS.get() + 1))));
                    Next::Detached(link)
                }
            };
        }
        drop(next);
        expect_drops(MANY);
        assert_eq!(CALLS.get(), MANY / 8);
    });
}

thread_local! {
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

#[test]
fn chain_through_cells_with_weak_parents() {
    struct Node {
        parent: Weak<RefCell<Node>>,
        child: Option<Rc<RefCell<Node>>>,
        _counted: Counted,
    }
    on_small_stack(|| {
        let node = |parent| Rc::new(RefCell::new(Node { parent, child: None, _counted: Counted }));
        let root = node(Weak::new());
        let mut last = root.clone();
        for _ in 1..200_000 {
            let child = node(Rc::downgrade(&last));
            last.borrow_mut().child = Some(child.clone());
            last = child;
        }
        let parent = last.borrow().parent.clone();
        drop(last);
        assert!(parent.upgrade().is_some());
        drop(root);
        assert!(parent.upgrade().is_none());
        expect_drops(200_000);
    });
}

#[test]
fn chain_of_trait_objects_and_slices() {
    trait Anything {}
    struct Boxed(
        #[expect(dead_code, reason = "owns the rest of the chain")] Option<Rc<dyn Anything>>,
        Counted,
    );
    impl Anything for Boxed {}
    impl Anything for Rc<[Boxed]> {}

    on_small_stack(|| {
        let mut head: Option<Rc<dyn Anything>> = None;
        for _ in 0..100_000 {
            let slice: Rc<[Boxed]> = vec![Boxed(head.take(), Counted)].into();
            head = Some(unsize!(Rc::new(slice)));
        }
        drop(head);
        expect_drops(100_000);
    });
}

#[test]
fn wide_trees() {
    struct Node(#[expect(dead_code, reason = "owns the subtrees")] Vec<Rc<Node>>, Counted);
    fn tree(width: usize, depth: usize) -> (Rc<Node>, usize) {
        let children: Vec<_> =
            (0..if depth == 0 { 0 } else { width }).map(|_| tree(width, depth - 1)).collect();
        let count = children.iter().map(|(_, count)| count).sum::<usize>() + 1;
        (Rc::new(Node(children.into_iter().map(|(node, _)| node).collect(), Counted)), count)
    }
    on_small_stack(|| {
        for (width, depth) in [(2, 14), (50, 3), (100_000, 1)] {
            let (root, count) = tree(width, depth);
            drop(root);
            expect_drops(count);
        }
    });
}

/// A chain of `DEPTH_LIMIT` objects, so that what hangs at its end is destroyed beyond the limit.
fn at_the_limit<T: 'static>(end: T) -> Rc<dyn std::any::Any> {
    struct Above(#[expect(dead_code, reason = "owns the rest")] Rc<dyn std::any::Any>);
    impl Drop for Above {
        fn drop(&mut self) {}
    }
    let mut top: Rc<dyn std::any::Any> = unsize!(Rc::new(end));
    for _ in 0..DEPTH_LIMIT {
        top = unsize!(Rc::new(Above(top)));
    }
    top
}

#[test]
fn a_destructor_that_drops_ten_million_others() {
    struct Many(RefCell<Vec<Rc<Counted>>>);
    impl Drop for Many {
        fn drop(&mut self) {
            self.0.borrow_mut().clear();
        }
    }
    on_small_stack(|| {
        // Beyond the limit they are queued, and then run at depth 1; in both cases all are gone when the root is.
        let many = |count| Many(RefCell::new((0..count).map(|_| Rc::new(Counted)).collect()));
        drop(Rc::new(many(MANY)));
        expect_drops(MANY);
        drop(at_the_limit(many(MANY / 10)));
        expect_drops(MANY / 10);
        struct Owner(#[expect(dead_code, reason = "owned")] Many);
        drop(at_the_limit(Rc::new(Owner(many(MANY / 10)))));
        expect_drops(MANY / 10);
    });
}

#[test]
fn a_destructor_that_makes_and_drops_objects() {
    struct Maker(u32);
    impl Drop for Maker {
        fn drop(&mut self) {
            DROPS.set(DROPS.get() + 1);
            if self.0 > 0 {
                // Each of them is born and dies inside the destruction of the one before.
                let next = Rc::new(Maker(self.0 - 1));
                let weak = Rc::downgrade(&next);
                drop(next);
                assert!(weak.upgrade().is_none(), "a queued object is dead for its weak references");
            }
        }
    }
    on_small_stack(|| {
        drop(Rc::new(Maker(100_000)));
        expect_drops(100_001);
    });
}

#[test]
fn a_destructor_that_saves_another_object() {
    thread_local! {
        static SAVED: RefCell<Option<Rc<Link>>> = const { RefCell::new(None) };
    }
    struct Saver(Rc<Link>);
    impl Drop for Saver {
        fn drop(&mut self) {
            SAVED.set(Some(self.0.clone()));
        }
    }
    on_small_stack(|| {
        drop(at_the_limit(Rc::new(Saver(chain(1000).unwrap()))));
        expect_drops(0);
        let saved = SAVED.take().unwrap();
        assert_eq!(Rc::strong_count(&saved), 1);
        drop(saved);
        expect_drops(1000);
    });
}

/// A link whose destructor panics on the way out, if it says so.
struct Bomb {
    _next: Option<Rc<Bomb>>,
    number: usize,
    armed: bool,
    _counted: Counted,
}

impl Drop for Bomb {
    fn drop(&mut self) {
        if self.armed {
            std::panic::panic_any(self.number);
        }
    }
}

/// Drops a chain in which the objects with these numbers (1 is the deepest) panic; returns the panic.
fn drop_bombs(length: usize, armed: &[usize]) -> Option<usize> {
    let head = (1..=length).fold(None, |next, number| {
        Some(Rc::new(Bomb { _next: next, number, armed: armed.contains(&number), _counted: Counted }))
    });
    catch_unwind(AssertUnwindSafe(|| drop(head))).err().map(|panic| *panic.downcast::<usize>().unwrap())
}

#[test]
fn panics_at_every_depth_lose_nothing() {
    on_small_stack(|| {
        let limit = DEPTH_LIMIT as usize;
        let length = 4 * limit;
        for number in 1..=length {
            assert_eq!(drop_bombs(length, &[number]), Some(number));
            expect_drops(length);
        }
        assert_eq!(drop_bombs(100_000, &[5]), Some(5));
        expect_drops(100_000);
        assert_eq!(drop_bombs(length, &[]), None, "the depth is what it was");
        expect_drops(length);
    });
}

#[test]
fn the_first_of_several_panics_comes_out() {
    on_small_stack(|| {
        // One in each of the stretches that the queue runs one after the other: outermost, second, third.
        let length = 3 * DEPTH_LIMIT as usize;
        for armed in [&[length, 100, 10][..], &[100, 10], &[10]] {
            assert_eq!(drop_bombs(length, armed), Some(armed[0]));
            expect_drops(length);
        }
    });
}

#[test]
fn panics_while_unwinding_are_contained() {
    struct OnUnwind(#[expect(dead_code, reason = "dropped by the unwinding")] Option<Rc<Bomb>>);
    on_small_stack(|| {
        let length = 3 * DEPTH_LIMIT as usize;
        let head = (1..=length).fold(None, |next, number| {
            Some(Rc::new(Bomb { _next: next, number, armed: number == 10, _counted: Counted }))
        });
        let outer = catch_unwind(AssertUnwindSafe(|| {
            let _dropped_by_unwinding = OnUnwind(head);
            std::panic::panic_any("outer");
        }));
        assert_eq!(*outer.unwrap_err().downcast::<&str>().unwrap(), "outer");
        expect_drops(length);
    });
}

#[test]
fn the_end_of_a_thread() {
    struct Finally(RefCell<Option<Rc<Last>>>);
    struct Last {
        _next: Option<Rc<Last>>,
        drops: std::sync::Arc<AtomicUsize>,
    }
    impl Drop for Last {
        fn drop(&mut self) {
            self.drops.fetch_add(1, Ordering::Relaxed);
        }
    }
    thread_local! {
        static EARLY: Finally = const { Finally(RefCell::new(None)) };
        static LATE: RefCell<Option<Rc<Last>>> = const { RefCell::new(None) };
    }
    const LENGTH: usize = 200_000;
    let drops = std::sync::Arc::new(AtomicUsize::new(0));
    let drops_of_thread = drops.clone();
    on_small_stack(move || {
        let chain = || {
            (0..LENGTH)
                .fold(None, |next, _| Some(Rc::new(Last { _next: next, drops: drops_of_thread.clone() })))
        };
        // Both before the thread has used its trashcan: the slot must work although its neighbours are being destroyed.
        EARLY.with(|early| early.0.replace(chain()));
        LATE.set(chain());
    });
    assert_eq!(drops.load(Ordering::Relaxed), 2 * LENGTH);
}

/// The attack that `Rc::new_borrowed` and the cleared bit are there for: beyond the depth limit, a destructor drops an `Rc` whose
/// value borrows from the destructor's own frame. Were it queued, it would read that frame after it is gone.
mod borrowed {
    use super::*;

    #[derive(Clone)]
    struct Reader<'a> {
        text: &'a str,
    }

    impl Drop for Reader<'_> {
        fn drop(&mut self) {
            assert_eq!(self.text, "a local variable");
            DROPS.set(DROPS.get() + 1);
        }
    }

    fn inside_a_deep_destructor(run: fn(&str)) {
        struct Deep(fn(&str));
        impl Drop for Deep {
            fn drop(&mut self) {
                let mut local = String::from("a local variable");
                DROPS.set(0);
                (self.0)(&local);
                assert_eq!(DROPS.get(), 1, "destroyed before the borrow ends");
                local.clear();
            }
        }
        // `Deep` is the value of the last object that is destroyed in place: the next one would be queued.
        struct Above {
            _rest: Option<Rc<Above>>,
            _deep: Option<Deep>,
        }
        let mut top = Rc::new(Above { _rest: None, _deep: Some(Deep(run)) });
        for _ in 1..DEPTH_LIMIT {
            top = Rc::new(Above { _rest: Some(top), _deep: None });
        }
        drop(top);
        assert_eq!(DROPS.replace(0), 1);
    }

    /// For both pointers; the chain above is of `Rc`s in both cases, as all share one queue.
    macro_rules! attacks {
        ($module:ident, $Pointer:ident) => {
            mod $module {
                use super::*;
                use cpymem_refcount::$module::$Pointer;

                #[test]
                fn constructor() {
                    inside_a_deep_destructor(|text| drop($Pointer::new_borrowed(Reader { text })));
                }

                #[test]
                fn get_mut_of_a_covariant_object() {
                    inside_a_deep_destructor(|text| {
                        let mut rc: $Pointer<Option<Reader<'_>>> = $Pointer::new(None);
                        *$Pointer::get_mut_borrowed(&mut rc).unwrap() = Some(Reader { text });
                    });
                }

                #[test]
                fn make_mut_of_a_covariant_object() {
                    inside_a_deep_destructor(|text| {
                        let mut rc: $Pointer<Option<Reader<'_>>> = $Pointer::new(None);
                        *$Pointer::make_mut_borrowed(&mut rc) = Some(Reader { text });
                    });
                    inside_a_deep_destructor(|text| {
                        let mut rc: $Pointer<Option<Reader<'_>>> = $Pointer::new(None);
                        let _shared = rc.clone();
                        *$Pointer::make_mut_borrowed(&mut rc) = Some(Reader { text });
                    });
                }
            }
        };
    }

    attacks!(rc, Rc);
    attacks!(sync, Arc);

    /// The control: a `'static` value in the same place is queued.
    #[test]
    fn a_static_value_is_deferred() {
        thread_local! {
            static DROPPED_INSIDE: Cell<Option<usize>> = const { Cell::new(None) };
        }
        struct Deep;
        impl Drop for Deep {
            fn drop(&mut self) {
                drop(Rc::new(Counted));
                DROPPED_INSIDE.set(Some(DROPS.get()));
            }
        }
        struct Above {
            _rest: Option<Rc<Above>>,
            _deep: Option<Deep>,
        }
        let mut top = Rc::new(Above { _rest: None, _deep: Some(Deep) });
        for _ in 1..DEPTH_LIMIT {
            top = Rc::new(Above { _rest: Some(top), _deep: None });
        }
        drop(top);
        assert_eq!((DROPPED_INSIDE.get(), DROPS.replace(0)), (Some(0), 1));
    }
}
