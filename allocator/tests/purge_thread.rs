//! The thread that purges an idle process: in a program of its own.
#![cfg(not(loom))]

use std::thread;
use std::time::{Duration, Instant};

use cpymem_allocator::Global;

#[global_allocator]
static GLOBAL: Global = Global;

#[test]
fn an_idle_process_gives_its_memory_back() {
    Global::start_purge_thread().unwrap();
    Global::start_purge_thread().unwrap();
    drop((0..300_000).map(|i| vec![1u8; 16 + i % 500]).collect::<Vec<_>>());
    let start = Instant::now();
    // Neither stats nor sleep is a slow path of the heap.
    while Global::stats().held_bytes() > 2 << 20 {
        assert!(start.elapsed() < Duration::from_secs(2), "{}", Global::stats());
        thread::sleep(Duration::from_millis(20));
    }
}
