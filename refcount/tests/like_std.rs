//! What the standard library's own tests of `Rc`, `Arc` and their `Weak`s demand, for both pointers, as far as stable Rust can express
//! it. (The counts and random traces are in `api.rs`, `shared.rs` and `model.rs`.)
#![allow(unsafe_code, reason = "raw pointers are part of the interface")]

use allocator_api2::alloc::{AllocError, Allocator, Global};
use std::alloc::Layout;
use std::any::Any;
use std::borrow::Cow;
use std::cell::Cell;
use std::ffi::{CStr, CString, OsStr, OsString};
use std::fmt::{Debug, Display};
use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::ptr::NonNull;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts the blocks that are out, and the copies of itself.
struct Counting<'a> {
    blocks: &'a Cell<i32>,
    copies: &'a Cell<i32>,
}

impl<'a> Counting<'a> {
    fn new(blocks: &'a Cell<i32>, copies: &'a Cell<i32>) -> Counting<'a> {
        copies.set(copies.get() + 1);
        Counting { blocks, copies }
    }
}

impl Clone for Counting<'_> {
    fn clone(&self) -> Self {
        Counting::new(self.blocks, self.copies)
    }
}

impl Drop for Counting<'_> {
    fn drop(&mut self) {
        self.copies.set(self.copies.get() - 1);
    }
}

// SAFETY: passes the blocks of `Global` through.
unsafe impl Allocator for Counting<'_> {
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        self.blocks.set(self.blocks.get() + 1);
        Global.allocate(layout)
    }

    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        self.blocks.set(self.blocks.get() - 1);
        // SAFETY: the caller's promise.
        unsafe { Global.deallocate(block, layout) };
    }
}

/// Counts how often values of this test are alive.
struct Alive<'a>(&'a AtomicUsize);

impl<'a> Alive<'a> {
    fn new(count: &'a AtomicUsize) -> Alive<'a> {
        count.fetch_add(1, Ordering::Relaxed);
        Alive(count)
    }
}

impl Drop for Alive<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

macro_rules! tests_of {
    ($module:ident, $Pointer:ident, $Any:ty) => {
        mod $module {
            use super::*;
            use cpymem_refcount::unsize;
            use cpymem_refcount::$module::{Weak, $Pointer};

            #[test]
            fn a_weak_of_an_uninhabited_type() {
                enum Never {}
                let weak = Weak::<Never>::new().clone();
                assert!(weak.upgrade().is_none());
                let weak: Weak<dyn Any> = unsize!(weak);
                assert!(weak.clone().upgrade().is_none());
                assert_eq!((weak.strong_count(), weak.weak_count()), (0, 0));
            }

            #[test]
            fn unsizing_of_every_pointer() {
                let array: $Pointer<[u32; 3]> = $Pointer::new([3, 2, 1]);
                let weak: Weak<[u32]> = unsize!($Pointer::downgrade(&array));
                let slice: $Pointer<[u32]> = unsize!(array);
                assert_eq!(slice, $Pointer::from(&[3, 2, 1][..]));
                assert!($Pointer::ptr_eq(&slice, &weak.clone().upgrade().unwrap()));
                drop(slice);
                assert!(weak.upgrade().is_none());

                let any: $Pointer<dyn Any> = unsize!($Pointer::new(4_u32));
                assert!($Pointer::downgrade(&any).clone().upgrade().unwrap().is::<u32>());
                let shown: Weak<dyn Display> = unsize!(Weak::<u32>::new());
                assert!(shown.upgrade().is_none());

                let pinned: Pin<$Pointer<dyn Display>> = unsize!($Pointer::pin(String::from("pinned")));
                assert_eq!(pinned.to_string(), "pinned");
            }

            #[test]
            fn equality_is_that_of_the_values() {
                let nan = $Pointer::new(f32::NAN);
                assert!(nan != nan.clone());
                let (a, b) = ($Pointer::new(1), $Pointer::new(1));
                assert!(a == b && !$Pointer::ptr_eq(&a, &b));
                let empty: $Pointer<[()]> = $Pointer::from([(); 3]);
                assert_ne!(empty, $Pointer::from(vec![(); 4]));
            }

            #[test]
            fn collecting() {
                let boxes = |n: u16| (0..n).map(Box::new);
                for n in [0, 1, 100] {
                    let collected: $Pointer<[Box<u16>]> = boxes(n).collect();
                    assert_eq!(*collected, *boxes(n).collect::<Vec<_>>());
                    let filtered: $Pointer<[Box<u16>]> = boxes(n).filter(|i| **i % 2 == 0).collect();
                    assert_eq!(filtered.len(), usize::from(n).div_ceil(2));
                    let (second, weak) = (filtered.clone(), $Pointer::downgrade(&filtered));
                    drop((filtered, second));
                    assert!(weak.upgrade().is_none());
                }
                let nothing: $Pointer<[()]> = (0..100).map(drop).collect();
                assert_eq!((nothing.len(), size_of_val(&*nothing)), (100, 0));
            }

            #[test]
            fn collecting_from_iterators_that_misbehave() {
                static ALIVE: AtomicUsize = AtomicUsize::new(0);
                let panicked = catch_unwind(|| {
                    let values =
                        (0..100).map(|i| if i == 98 { panic!("almost") } else { Alive::new(&ALIVE) });
                    values.collect::<$Pointer<[_]>>()
                });
                assert!(panicked.is_err());
                assert_eq!(ALIVE.load(Ordering::Relaxed), 0);

                /// Says two, gives two, and would go on after the end.
                struct Unfused(std::vec::IntoIter<Option<Box<u8>>>);
                impl Iterator for Unfused {
                    type Item = Box<u8>;
                    fn next(&mut self) -> Option<Box<u8>> {
                        self.0.next().flatten()
                    }
                    fn size_hint(&self) -> (usize, Option<usize>) {
                        (2, Some(2))
                    }
                }
                let values = vec![Some(Box::new(1)), Some(Box::new(2)), None, Some(Box::new(4))];
                let collected: $Pointer<[Box<u8>]> = Unfused(values.into_iter()).collect();
                assert_eq!(*collected, [Box::new(1), Box::new(2)]);
            }

            #[test]
            fn a_panicking_drop_leaks_nothing() {
                struct Bomb;
                impl Drop for Bomb {
                    fn drop(&mut self) {
                        panic!("bomb");
                    }
                }
                let (blocks, copies) = (Cell::new(0), Cell::new(0));
                let object = $Pointer::new_borrowed_in(Bomb, Counting::new(&blocks, &copies));
                assert_eq!(blocks.get(), 1);
                let panic = catch_unwind(AssertUnwindSafe(|| drop(object))).unwrap_err();
                assert_eq!(*panic.downcast::<&str>().unwrap(), "bomb");
                assert_eq!((blocks.get(), copies.get()), (0, 0));
            }

            #[test]
            fn cloning_a_slice_that_panics_halfway() {
                static ALIVE: AtomicUsize = AtomicUsize::new(0);
                struct Fragile(u32, #[expect(dead_code, reason = "counted")] Alive<'static>);
                impl Clone for Fragile {
                    fn clone(&self) -> Fragile {
                        assert!(self.0 != 2, "fragile");
                        Fragile(self.0, Alive::new(&ALIVE))
                    }
                }
                let values: Vec<Fragile> = (0..4).map(|i| Fragile(i, Alive::new(&ALIVE))).collect();
                assert!(catch_unwind(AssertUnwindSafe(|| $Pointer::<[Fragile]>::from(&values[..]))).is_err());
                assert_eq!(ALIVE.load(Ordering::Relaxed), 4);
                let mut shared: $Pointer<[Fragile]> = values.into();
                let other = shared.clone();
                assert!(catch_unwind(AssertUnwindSafe(|| $Pointer::make_mut(&mut shared)[0].0 = 9)).is_err());
                assert!($Pointer::ptr_eq(&shared, &other));
                drop((shared, other));
                assert_eq!(ALIVE.load(Ordering::Relaxed), 0);
            }

            #[test]
            fn raw_pointers_and_back() {
                let object = $Pointer::new(Box::new("hello"));
                let clone = object.clone();
                let raw = $Pointer::into_raw(object);
                drop(clone);
                // SAFETY: `into_raw` kept its reference.
                assert_eq!(unsafe { **raw }, "hello");
                // SAFETY: from `into_raw`.
                unsafe { $Pointer::increment_strong_count(raw) };
                // SAFETY: the reference that `into_raw` kept.
                let back = unsafe { $Pointer::from_raw(raw) };
                assert_eq!($Pointer::strong_count(&back), 2);
                // SAFETY: the reference that was counted above.
                unsafe { $Pointer::decrement_strong_count(raw) };
                assert_eq!($Pointer::try_unwrap(back).map(|boxed| *boxed), Ok("hello"));

                let text: $Pointer<str> = $Pointer::from("text");
                let raw = $Pointer::into_raw(text.clone());
                // SAFETY: from `into_raw`.
                assert_eq!(unsafe { $Pointer::from_raw(raw) }, text);
                let shown: $Pointer<dyn Display> = unsize!($Pointer::new(123));
                let raw = $Pointer::into_raw(shown.clone());
                // SAFETY: from `into_raw`.
                assert_eq!(unsafe { $Pointer::from_raw(raw) }.to_string(), "123");
            }

            #[test]
            fn allocators_are_cloned_and_dropped_with_their_pointers() {
                let (blocks, copies) = (Cell::new(0), Cell::new(0));
                let object = $Pointer::new_borrowed_in(1_u8, Counting::new(&blocks, &copies));
                let clone = object.clone();
                let weak = $Pointer::downgrade(&object);
                assert_eq!((blocks.get(), copies.get()), (2, 3));
                let (raw, alloc) = $Pointer::into_raw_with_allocator(clone);
                // SAFETY: from the line above.
                unsafe { $Pointer::increment_strong_count_in(raw, alloc.clone()) };
                assert_eq!(($Pointer::strong_count(&object), copies.get()), (3, 3));
                // SAFETY: the reference that was counted above.
                unsafe { $Pointer::decrement_strong_count_in(raw, alloc.clone()) };
                // SAFETY: the one of the clone.
                let back: $Pointer<u8, Counting<'_>> = unsafe { $Pointer::from_raw_in(raw, alloc) };
                drop(back);
                assert_eq!((blocks.get(), copies.get()), (2, 2));
                drop(weak.upgrade());
                drop(weak);
                let watch = $Pointer::downgrade_with(&object, |weak| assert_eq!(weak.strong_count(), 0));
                drop(object);
                assert!(blocks.get() > 0 && copies.get() > 0);
                drop(watch);
                assert_eq!((blocks.get(), copies.get()), (0, 0));
            }

            #[test]
            fn copies_on_write() {
                let mut first = $Pointer::new(75);
                let (mut second, third) = (first.clone(), first.clone());
                *$Pointer::make_mut(&mut first) += 1;
                *$Pointer::make_mut(&mut second) += 2;
                assert_eq!((*first, *second, *third), (76, 77, 75));

                let mut slice: $Pointer<[i32]> = $Pointer::from([10, 20, 30]);
                let address = $Pointer::as_ptr(&slice);
                $Pointer::make_mut(&mut slice)[0] += 1;
                assert_eq!($Pointer::as_ptr(&slice), address, "nobody else had it");
                let other = slice.clone();
                let weak = $Pointer::downgrade(&slice);
                $Pointer::make_mut(&mut slice)[1] += 1;
                assert_eq!((&*slice, &*other), (&[11, 21, 30][..], &[11, 20, 30][..]));
                assert!($Pointer::ptr_eq(&weak.upgrade().unwrap(), &other));

                let mut text: $Pointer<str> = $Pointer::from("text");
                let kept = text.clone();
                $Pointer::make_mut(&mut text).make_ascii_uppercase();
                assert_eq!((&*text, &*kept), ("TEXT", "text"));
                let mut path: $Pointer<Path> = $Pointer::from(Path::new("a/b"));
                let kept = path.clone();
                let _same: &mut Path = $Pointer::make_mut_borrowed(&mut path);
                assert!(path == kept && !$Pointer::ptr_eq(&path, &kept));
                let mut text: $Pointer<CStr> = c"text".into();
                let kept = text.clone();
                let _same: &mut CStr = $Pointer::make_mut(&mut text);
                assert!(text == kept && !$Pointer::ptr_eq(&text, &kept));
            }

            #[test]
            fn conversions() {
                assert_eq!(*$Pointer::from(123), 123);
                assert_eq!(*$Pointer::<u32>::from(Box::new(123)), 123);
                let mut array = [1_u32, 2, 3];
                for slice in [
                    $Pointer::from(&array[..]),
                    $Pointer::from(&mut array[..]),
                    $Pointer::from(array),
                    $Pointer::from(array.to_vec()),
                    $Pointer::from(array.to_vec().into_boxed_slice()),
                    $Pointer::from(Cow::Borrowed(&array[..])),
                ] {
                    let slice: $Pointer<[u32]> = slice;
                    assert_eq!(*slice, array);
                }
                let mut string = String::from("text");
                for text in [
                    $Pointer::from("text"),
                    $Pointer::from(string.as_mut_str()),
                    $Pointer::from(string.clone()),
                    $Pointer::from(string.into_boxed_str()),
                    $Pointer::from(Cow::Borrowed("text")),
                    $Pointer::from(Cow::Owned::<str>(String::from("text"))),
                ] {
                    let text: $Pointer<str> = text;
                    assert_eq!(&*text, "text");
                    assert_eq!(*$Pointer::<[u8]>::from(text), *b"text");
                }
                let c: $Pointer<CStr> = CString::from(c"swordfish").into();
                assert_eq!(format!("{c:?}"), "\"swordfish\"");
                assert_eq!(c, $Pointer::from(c"swordfish"));
                let weak = $Pointer::downgrade(&c);
                drop(c);
                assert!(weak.upgrade().is_none());
                let os: $Pointer<OsStr> = OsString::from("os").into();
                assert_eq!(os, $Pointer::from(OsStr::new("os")));
                let path: $Pointer<Path> = PathBuf::from("a/b").into();
                assert_eq!(path, $Pointer::from(Path::new("a/b")));
            }

            #[test]
            fn boxes_of_unsized_values() {
                let shown: $Pointer<dyn Display> = $Pointer::from(Box::new(123) as Box<dyn Display>);
                assert_eq!(shown.to_string(), "123");
                let nothing: $Pointer<dyn Debug> = $Pointer::from(Box::new(()) as Box<dyn Debug>);
                assert_eq!(format!("{nothing:?}"), "()");
                #[repr(align(64))]
                struct Aligned(#[expect(dead_code, reason = "gives it a size")] u8, Alive<'static>);
                trait Named {
                    fn address(&self) -> usize;
                }
                impl Named for Aligned {
                    fn address(&self) -> usize {
                        assert_eq!(self.1.0.load(Ordering::Relaxed), 1);
                        std::ptr::from_ref(self).addr()
                    }
                }
                static ALIVE: AtomicUsize = AtomicUsize::new(0);
                let named: $Pointer<dyn Named> =
                    $Pointer::from(Box::new(Aligned(1, Alive::new(&ALIVE))) as Box<dyn Named>);
                assert!(named.address().is_multiple_of(64));
                drop(named);
                assert_eq!(ALIVE.load(Ordering::Relaxed), 0);
            }

            #[test]
            fn defaults() {
                assert_eq!(*$Pointer::<u32>::default(), 0);
                assert!($Pointer::<[String]>::default().is_empty() && $Pointer::<str>::default().is_empty());
                assert_eq!(*$Pointer::<CStr>::default(), *c"");
                assert!(Weak::<u32>::default().upgrade().is_none());
                #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
                struct Derived($Pointer<i32>);
                assert_eq!(Derived::default().clone(), Derived($Pointer::new(0)));
            }

            #[test]
            fn downcasts() {
                let number: $Pointer<$Any> = unsize!($Pointer::new(i32::MAX));
                let text: $Pointer<$Any> = unsize!($Pointer::new("abc"));
                let number = number.downcast::<u32>().unwrap_err();
                assert_eq!(*number.downcast::<i32>().unwrap(), i32::MAX);
                assert_eq!(*text.clone().downcast::<&'static str>().unwrap(), "abc");
                assert_eq!($Pointer::strong_count(&text), 1);
            }

            #[test]
            fn arrays_from_slices() {
                let slice: $Pointer<[u32]> = $Pointer::from(vec![1, 2, 3]);
                let array: $Pointer<[u32; 3]> = slice.clone().try_into().unwrap();
                assert_eq!(*array, [1, 2, 3]);
                let back: $Pointer<[u32]> = <$Pointer<[u32; 2]>>::try_from(slice).unwrap_err();
                assert_eq!($Pointer::strong_count(&back), 2);
            }

            #[test]
            fn values_that_are_written_later() {
                let mut later = $Pointer::<String>::new_uninit();
                $Pointer::get_mut(&mut later).unwrap().write(String::from("now"));
                // SAFETY: just written.
                assert_eq!(*unsafe { later.assume_init() }, "now");
                drop($Pointer::<String>::new_uninit());

                let mut later = $Pointer::<[u64]>::new_uninit_slice(5);
                for (i, place) in $Pointer::get_mut(&mut later).unwrap().iter_mut().enumerate() {
                    place.write(i as u64);
                }
                // SAFETY: all written.
                assert_eq!(*unsafe { later.assume_init() }, [0, 1, 2, 3, 4]);

                // SAFETY: zero is a number.
                assert_eq!(*unsafe { $Pointer::<u64>::new_zeroed().assume_init() }, 0);
                // SAFETY: zeros are numbers.
                assert_eq!(*unsafe { $Pointer::<[u64]>::new_zeroed_slice(3).assume_init() }, [0; 3]);
            }

            #[test]
            fn a_value_larger_than_the_stack() {
                let large = || {
                    let zeroed = $Pointer::<[u8; 64 << 20]>::new_zeroed();
                    // SAFETY: zeros are bytes.
                    let zeroed = unsafe { zeroed.assume_init() };
                    assert!(zeroed.iter().all(|byte| *byte == 0));
                };
                std::thread::Builder::new().stack_size(512 << 10).spawn(large).unwrap().join().unwrap();
            }

            #[test]
            fn weak_addresses() {
                let object = $Pointer::new(7_u128);
                let weak = $Pointer::downgrade(&object);
                assert_eq!(weak.as_ptr(), $Pointer::as_ptr(&object));
                // A dead object's address is an address still.
                drop(object);
                assert!(!weak.as_ptr().is_null());
            }

            #[test]
            fn cyclic_values() {
                struct Node {
                    one: Weak<Node>,
                    two: Weak<Node>,
                }
                let none = $Pointer::new_cyclic(|_| Node { one: Weak::new(), two: Weak::new() });
                assert_eq!(($Pointer::strong_count(&none), $Pointer::weak_count(&none)), (1, 0));
                assert!(none.one.ptr_eq(&none.two));
                let two = $Pointer::new_cyclic(|me| {
                    assert_eq!(me.strong_count(), 0);
                    assert!(me.upgrade().is_none());
                    Node { one: me.clone(), two: me.clone() }
                });
                let (one, other) = (two.one.upgrade().unwrap(), two.two.upgrade().unwrap());
                assert!($Pointer::ptr_eq(&one, &other));
                assert_eq!(($Pointer::strong_count(&two), $Pointer::weak_count(&two)), (3, 2));
            }

            #[test]
            fn weak_self_reference() {
                struct Node(Mutex<Option<Weak<Node>>>);
                let node = $Pointer::new(Node(Mutex::new(None)));
                let weak = $Pointer::downgrade(&node.clone());
                *node.0.lock().unwrap() = Some(weak.clone());
                drop(node);
                assert!(weak.upgrade().is_none());
            }

            #[test]
            fn auto_traits() {
                fn all<T: Unpin + UnwindSafe + RefUnwindSafe>(_: T) {}
                struct Pinned(std::marker::PhantomPinned);
                let object = $Pointer::new(Pinned(std::marker::PhantomPinned));
                all($Pointer::downgrade(&object));
                all(object);
            }
        }
    };
}

tests_of!(rc, Rc, dyn Any);
tests_of!(sync, Arc, dyn Any + Send + Sync);

#[test]
fn into_inner_on_two_threads_gives_the_value_to_one() {
    use cpymem_refcount::sync::Arc;
    for _ in 0..100 {
        let (a, b) = (Arc::new(3), Arc::new(0));
        drop(b);
        let b = a.clone();
        let (a, b) = std::thread::scope(|scope| {
            let a = scope.spawn(|| Arc::into_inner(a));
            let b = scope.spawn(|| Arc::into_inner(b));
            (a.join().unwrap(), b.join().unwrap())
        });
        assert!(matches!((a, b), (Some(3), None) | (None, Some(3))));
    }
}

#[test]
fn the_weak_count_while_get_mut_holds_its_lock() {
    use cpymem_refcount::sync::Arc;
    use std::sync::atomic::AtomicBool;
    let mut one = Arc::new(AtomicBool::new(false));
    let other = one.clone();
    // So that there is a side header, whose weak count is what gets locked.
    drop(Arc::downgrade(&one));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..100_000 {
                assert!(Arc::get_mut(&mut one).is_none());
            }
            one.store(true, Ordering::SeqCst);
        });
        while !other.load(Ordering::SeqCst) {
            assert_eq!(Arc::weak_count(&other), 0);
        }
    });
}
