//! The limits of the process: in a program of its own, since what is refused is refused to everybody.
#![allow(unsafe_code, reason = "drives the raw interface, which answers with null")]

use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use cpymem_allocator::{Exceeded, Global};

#[global_allocator]
static GLOBAL: Global = Global;

#[test]
fn a_limit_of_the_process_refuses_after_a_purge_and_calls_back_before() {
    static CALLED: AtomicUsize = AtomicUsize::new(0);
    fn called(exceeded: Exceeded) {
        let text = format!("{exceeded:?}"); // it may allocate
        assert!(text.contains("held_bytes"));
        CALLED.fetch_add(1, Ordering::Relaxed);
    }
    Global::purge();
    let held = Global::budget().held_bytes();
    Global::budget().set_soft_limit(held + (20 << 20), called);
    Global::budget().set_hard_limit(held + (40 << 20));
    let layout = Layout::from_size_align(100_000, 8).unwrap();
    let fill = || {
        let mut blocks = [std::ptr::null_mut(); 1000];
        let count = (0..1000)
            .take_while(|&i| {
                // SAFETY: the size is not 0.
                blocks[i] = unsafe { GLOBAL.alloc(layout) };
                !blocks[i].is_null()
            })
            .count();
        // Room for what the test itself allocates.
        // SAFETY: allocated just now.
        unsafe { GLOBAL.dealloc(blocks[count - 1], layout) };
        (blocks, count - 1)
    };
    let free = |(blocks, count): ([*mut u8; 1000], usize)| {
        // SAFETY: allocated above with this layout.
        blocks[..count].iter().for_each(|&block| unsafe { GLOBAL.dealloc(block, layout) });
    };
    let first = fill();
    let count = first.1;
    assert!((300..420).contains(&count), "{count} blocks of 7 units in 40 MiB");
    assert_eq!(CALLED.load(Ordering::Relaxed), 1);
    assert!(Global::budget().held_bytes() <= held + (40 << 20));
    // SAFETY: the size is not 0: a mapping is refused, too.
    assert!(unsafe { GLOBAL.alloc(Layout::from_size_align(3 << 20, 8).unwrap()) }.is_null());
    // Another thread has its own heap and the same limit.
    let refused = thread::scope(|scope| {
        // SAFETY: the size is not 0.
        scope.spawn(|| unsafe { GLOBAL.alloc(Layout::from_size_align(1 << 20, 8).unwrap()) }.is_null()).join()
    });
    assert!(refused.unwrap());
    free(first);
    // What this heap has free is in the way of another size, until a purge that the failure itself makes.
    // SAFETY: the size is not 0.
    let large = unsafe { GLOBAL.alloc(Layout::from_size_align(30 << 20, 8).unwrap()) };
    assert!(!large.is_null());
    // SAFETY: allocated just now.
    unsafe { GLOBAL.dealloc(large, Layout::from_size_align(30 << 20, 8).unwrap()) };
    Global::budget().set_hard_limit(usize::MAX);
    free(fill());
    assert_eq!(CALLED.load(Ordering::Relaxed), 3, "each time that it came from below");
    Global::budget().set_soft_limit(usize::MAX, called);
}
