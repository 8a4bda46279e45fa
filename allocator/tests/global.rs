//! `Global` as the allocator of a whole program: this test and the harness that runs it.
#![allow(unsafe_code, clippy::multiple_unsafe_ops_per_block, reason = "the interface under test is unsafe")]

use std::alloc::{GlobalAlloc, Layout};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use cpymem_allocator::Global;

#[global_allocator]
static GLOBAL: Global = Global;

/// A buffer that knows what it was filled with.
struct Filled {
    bytes: Vec<u8>,
    fill: u8,
}

impl Filled {
    fn new(size: usize, fill: u8) -> Filled {
        Filled { bytes: vec![fill; size], fill }
    }

    fn check(&self) {
        assert!(self.bytes.iter().all(|&byte| byte == self.fill), "clobbered");
    }
}

fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

fn size(number: u64) -> usize {
    match number % 100 {
        0 => (number >> 8) as usize % 3_000_000,
        1..=4 => (number >> 8) as usize % 200_000,
        5..=20 => (number >> 8) as usize % 20_000,
        _ => (number >> 8) as usize % 600,
    }
}

#[test]
fn a_program_with_collections_and_threads_runs_on_it() {
    let words: Vec<String> = (0..50_000).map(|i| format!("word {}", i % 5_000)).collect();
    let counts: HashMap<&str, usize> = words.iter().fold(HashMap::new(), |mut counts, word| {
        *counts.entry(word.as_str()).or_default() += 1;
        counts
    });
    assert!(counts.len() == 5_000 && counts.values().all(|&n| n == 10));
    let sums: Vec<usize> = thread::scope(|scope| {
        let jobs: Vec<_> = (0..8)
            .map(|k| {
                scope.spawn(move || {
                    (0..5_000).map(|i| (i % k.max(1), vec![i; 20])).collect::<BTreeMap<_, _>>()
                })
            })
            .collect();
        jobs.into_iter().map(|job| job.join().unwrap().values().map(|row| row.len()).sum()).collect()
    });
    assert_eq!(sums, [20, 20, 40, 60, 80, 100, 120, 140]);
}

#[test]
fn blocks_migrate_between_threads_that_come_and_go() {
    let seconds = std::env::var("CPYMEM_STRESS_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(2);
    let end = Instant::now() + Duration::from_secs(seconds);
    // A place where threads put buffers for others to take.
    let exchange: Arc<[Mutex<Vec<Filled>>; 16]> = Arc::new(std::array::from_fn(|_| Mutex::new(Vec::new())));
    let (made, gone) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    thread::scope(|scope| {
        for worker in 0..4u64 {
            let (exchange, made, gone) = (exchange.clone(), made.clone(), gone.clone());
            scope.spawn(move || {
                let mut generation = 0;
                while Instant::now() < end {
                    generation += 1;
                    let (exchange, made, gone) = (exchange.clone(), made.clone(), gone.clone());
                    // Each generation is a thread of its own, so heaps are abandoned and adopted.
                    let job = move || {
                        let mut state = worker * 1_000_003 + generation * 7 + 1;
                        let mut own: Vec<Filled> = Vec::new();
                        for _ in 0..2_000 {
                            let number = random(&mut state);
                            match number % 5 {
                                0 | 1 => {
                                    own.push(Filled::new(size(random(&mut state)), number as u8));
                                    made.fetch_add(1, Ordering::Relaxed);
                                }
                                2 if !own.is_empty() => {
                                    let filled = own.swap_remove(number as usize % own.len());
                                    exchange[(number >> 32) as usize % 16].lock().unwrap().push(filled);
                                }
                                3 => {
                                    let taken = exchange[(number >> 32) as usize % 16].lock().unwrap().pop();
                                    own.extend(taken);
                                }
                                _ if !own.is_empty() => {
                                    let mut filled = own.swap_remove(number as usize % own.len());
                                    filled.check();
                                    let size = size(random(&mut state));
                                    let old = filled.bytes.len();
                                    filled.bytes.resize(size, filled.fill);
                                    filled.check();
                                    assert!(filled.bytes.len() == size && old < 3_000_001);
                                    gone.fetch_add(1, Ordering::Relaxed);
                                }
                                _ => {}
                            }
                        }
                        own.iter().for_each(Filled::check);
                        gone.fetch_add(own.len(), Ordering::Relaxed);
                    };
                    thread::spawn(job).join().unwrap();
                }
            });
        }
    });
    let left: usize = exchange
        .iter()
        .map(|place| {
            let place = place.lock().unwrap();
            place.iter().for_each(Filled::check);
            place.len()
        })
        .sum();
    assert_eq!(made.load(Ordering::Relaxed), gone.load(Ordering::Relaxed) + left);
    assert!(made.load(Ordering::Relaxed) > 1_000);
}

#[test]
fn producer_and_consumer_hand_over_every_block() {
    let (send, receive) = mpsc::sync_channel::<Vec<Filled>>(16);
    let consumer = thread::spawn(move || {
        let mut count = 0;
        for batch in receive {
            batch.iter().for_each(Filled::check);
            count += batch.len();
        }
        count
    });
    for i in 0..2_000 {
        send.send((0..100).map(|k| Filled::new(16 + (i * k) % 500, k as u8)).collect()).unwrap();
    }
    drop(send);
    assert_eq!(consumer.join().unwrap(), 200_000);
}

#[test]
fn destructors_of_thread_locals_allocate_and_free() {
    thread_local! {
        static FIRST: RefCell<Option<Noisy>> = const { RefCell::new(None) };
        static SECOND: RefCell<Option<Noisy>> = const { RefCell::new(None) };
    }
    static NOISE: AtomicUsize = AtomicUsize::new(0);
    struct Noisy(Vec<Vec<u8>>);
    impl Drop for Noisy {
        fn drop(&mut self) {
            for i in 0..200 {
                self.0.push(vec![i as u8; 10 + i * 300]);
            }
            assert!(
                self.0.iter().enumerate().skip(1).all(|(i, row)| row.iter().all(|&b| b == (i - 1) as u8))
            );
            NOISE.fetch_add(self.0.len(), Ordering::Relaxed);
        }
    }
    for _ in 0..20 {
        thread::spawn(|| {
            FIRST.with(|slot| *slot.borrow_mut() = Some(Noisy(vec![vec![9; 100]])));
            SECOND.with(|slot| *slot.borrow_mut() = Some(Noisy(vec![vec![9; 100]])));
        })
        .join()
        .unwrap();
    }
    assert_eq!(NOISE.load(Ordering::Relaxed), 20 * 2 * 201);
}

#[test]
fn every_route_keeps_content_and_alignment_also_across_reallocs() {
    let sizes = [1, 16, 100, 1024, 1025, 8192, 32768, 32769, 500_000, 1 << 20, (1 << 20) + 1, 5 << 20];
    for align in [1, 16, 4096, 16384, 32768, 2 << 20] {
        for &from in &sizes {
            for &to in &sizes {
                let layout = Layout::from_size_align(from, align).unwrap();
                // SAFETY: sizes are not 0; each block is freed with its own layout.
                unsafe {
                    let block = GLOBAL.alloc_zeroed(layout);
                    assert!(!block.is_null() && block.addr().is_multiple_of(align), "{from} {align}");
                    assert!(std::slice::from_raw_parts(block, from).iter().all(|&byte| byte == 0));
                    block.write_bytes(0x5a, from);
                    let block = GLOBAL.realloc(block, layout, to);
                    assert!(!block.is_null() && block.addr().is_multiple_of(align), "{from} -> {to} {align}");
                    let kept = std::slice::from_raw_parts(block, from.min(to));
                    assert!(kept.iter().all(|&byte| byte == 0x5a), "{from} -> {to} {align}");
                    block.write_bytes(1, to);
                    GLOBAL.dealloc(block, Layout::from_size_align(to, align).unwrap());
                }
            }
        }
    }
    let impossible = Layout::from_size_align(isize::MAX as usize - 4096, 8).unwrap();
    // SAFETY: the size is not 0.
    assert!(unsafe { GLOBAL.alloc(impossible) }.is_null());
}

#[test]
fn the_child_of_a_fork_may_allocate() {
    let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let busy: Vec<_> = (0..3)
        .map(|k| {
            let done = done.clone();
            thread::spawn(move || {
                let mut state = k + 1;
                while !done.load(Ordering::Relaxed) {
                    let blocks: Vec<Vec<u8>> =
                        (0..50).map(|_| vec![1; size(random(&mut state)) % 200_000]).collect();
                    drop(blocks);
                }
            })
        })
        .collect();
    for round in 0..40 {
        // SAFETY: the child allocates, frees and exits, without a look at locks of this process.
        let child = unsafe { libc::fork() };
        assert!(child >= 0);
        if child == 0 {
            // A child that waits for ever is ended by the alarm and fails the test.
            // SAFETY: sets a timer.
            unsafe { libc::alarm(20) };
            let mut state = round + 1;
            let blocks: Vec<Vec<u8>> =
                (0..2_000).map(|_| vec![7; size(random(&mut state)) % 50_000]).collect();
            let intact = blocks.iter().flatten().all(|&byte| byte == 7);
            drop(blocks);
            // SAFETY: ends the child at once.
            unsafe { libc::_exit(if intact { 0 } else { 1 }) };
        }
        let mut status = -1;
        // SAFETY: waits for the child of this process.
        let waited = unsafe { libc::waitpid(child, &mut status, 0) };
        assert_eq!((waited, status), (child, 0), "round {round}");
    }
    done.store(true, Ordering::Relaxed);
    busy.into_iter().for_each(|thread| thread.join().unwrap());
}
