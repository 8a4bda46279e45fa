//! What the whole process holds on [`Global`]: in a test program of its own, one test at a time.
#![allow(unsafe_code, reason = "asks the kernel what is resident")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use cpymem_allocator::Global;

#[global_allocator]
static GLOBAL: Global = Global;

/// Tests that look at what the whole process holds run one at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> std::sync::MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Bytes of the arenas that are in memory, by `mincore`, headers included.
fn resident_arena_bytes() -> usize {
    // The iterator allocates nothing and holds no lock between items.
    Global::arenas()
        .map(|arena| {
            let mut pages = [0u8; 512];
            // SAFETY: 2 MiB from the arena's address on; if it is unmapped by now, the call fails and writes
            // nothing.
            unsafe { libc::mincore(arena.address() as *mut _, 2 << 20, pages.as_mut_ptr()) };
            pages.iter().filter(|&&page| page & 1 != 0).count() * 4096
        })
        .sum()
}

const GOAL: usize = 2 << 20;

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
    assert!(resident_arena_bytes() > full / 2);
    drop(blocks);
    Global::purge();
    let after = Global::stats().held_bytes();
    assert!(after < before + GOAL, "{before} -> {full} -> {after}");
    assert!(resident_arena_bytes() <= GOAL, "{} resident", resident_arena_bytes());
}

/// Eight threads that have freed what they had and wait, with or without a flush before.
fn parked(flush: bool, look: impl FnOnce()) {
    let (barrier, done) = (Arc::new(Barrier::new(9)), Arc::new(AtomicBool::new(false)));
    let threads: Vec<_> = (0..8)
        .map(|k| {
            let (barrier, done) = (barrier.clone(), done.clone());
            thread::spawn(move || {
                let mut blocks: Vec<Vec<u8>> = (0..30_000).map(|i| vec![k; 16 + i % 1500]).collect();
                // In another order than they were made.
                (0..blocks.len()).for_each(|i| blocks.swap(i, i * 7919 % 30_000));
                drop(blocks);
                if flush {
                    Global::flush_thread();
                }
                barrier.wait();
                while !done.load(Ordering::Relaxed) {
                    thread::park_timeout(Duration::from_millis(5));
                }
            })
        })
        .collect();
    barrier.wait();
    look();
    done.store(true, Ordering::Relaxed);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn what_parked_threads_flushed_goes_back() {
    let _alone = alone();
    parked(true, || {
        Global::purge();
        let resident = resident_arena_bytes();
        assert!(resident <= GOAL, "{resident} bytes resident:\n{}", Global::stats());
    });
}

#[test]
fn what_parked_threads_did_not_flush_shows_as_idle() {
    let _alone = alone();
    parked(false, || {
        Global::purge();
        let (resident, stats) = (resident_arena_bytes(), Global::stats());
        assert!(resident <= stats.idle_bytes() + GOAL, "{resident} bytes resident:\n{stats}");
        // Eight threads had 22 MB each; what is idle is what their bins pin, not what they had.
        assert!(stats.idle_bytes() < 48 << 20, "{stats}");
    });
}

#[test]
fn without_a_call_it_goes_back_soon_after_the_next_slow_path() {
    let _alone = alone();
    Global::purge();
    thread::sleep(Duration::from_millis(1_100));
    drop((0..200_000).map(|i| vec![1u8; 16 + i % 500]).collect::<Vec<_>>());
    thread::sleep(Duration::from_millis(1_100));
    let start = Instant::now();
    while resident_arena_bytes() > GOAL {
        assert!(start.elapsed() < Duration::from_secs(2), "{} resident", resident_arena_bytes());
        // A run of units: always the slow path.
        drop(vec![0u8; 40_000]);
    }
}
