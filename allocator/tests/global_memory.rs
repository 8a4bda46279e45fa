//! What the whole process holds on [`Global`]: in a test program of its own, one test at a time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use cpymem_allocator::Global;

#[global_allocator]
static GLOBAL: Global = Global;

/// Tests that look at what the whole process holds run one at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> std::sync::MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[test]
fn what_ended_threads_held_goes_back() {
    let _alone = alone();
    Global::purge();
    let before = Global::stats().held_bytes();
    let (send, receive) = mpsc::channel();
    for k in 0..8 {
        let send = send.clone();
        thread::spawn(move || {
            // Half of the blocks die with the thread, half are freed by another one after its end.
            let kept: Vec<Vec<u8>> = (0..20_000).map(|i| vec![k; 40 + i % 400]).collect();
            let dropped: Vec<Vec<u8>> = (0..20_000).map(|i| vec![k; 40 + i % 400]).collect();
            drop(dropped);
            send.send(kept).unwrap();
        })
        .join()
        .unwrap();
    }
    drop(send);
    let blocks: Vec<_> = receive.iter().collect();
    let full = Global::stats().held_bytes();
    assert!(full > before + (8 * 20_000 * 240), "{before} -> {full}");
    drop(blocks);
    Global::purge();
    let after = Global::stats().held_bytes();
    assert!(after < before + (2 << 20), "{before} -> {full} -> {after}");
}

#[test]
fn parked_threads_flush_when_they_are_asked_before() {
    let _alone = alone();
    let (barrier, done) = (Arc::new(Barrier::new(9)), Arc::new(AtomicBool::new(false)));
    let threads: Vec<_> = (0..8)
        .map(|k| {
            let (barrier, done) = (barrier.clone(), done.clone());
            thread::spawn(move || {
                drop((0..5_000).map(|i| vec![k; 16 + i % 300]).collect::<Vec<Vec<u8>>>());
                Global::flush_thread();
                barrier.wait();
                while !done.load(Ordering::Relaxed) {
                    thread::park_timeout(Duration::from_millis(5));
                }
            })
        })
        .collect();
    barrier.wait();
    Global::purge();
    let cached = Global::stats().bytes_cached();
    done.store(true, Ordering::Relaxed);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert!(cached < 2 << 20, "{cached}");
}
