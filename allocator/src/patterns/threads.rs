//! What threads do with one another's blocks.
#![allow(unsafe_code, reason = "a thread writes into its block again and again")]

use core::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use super::exchange::{Market, Ring};
use super::single::{places, shuffle, small};
use super::subject::Across;
use super::worker::{Block, Fill, Gate, Outcome, Scale, Worker};

/// What a thread does behind the gate of all.
type Job = fn(&mut Worker<'_>, Scale);

/// Runs the same job on two threads at once.
pub(super) fn beside(across: Across<'_>, scale: Scale, fill: Fill, job: Job) -> Outcome {
    let gate = Gate::new(2);
    both(|index| {
        let mut worker = Worker::new(across.subject(), fill, 17 + index).behind(&gate);
        job(&mut worker, scale);
        worker.outcome()
    })
}

/// Runs two threads and adds what they did.
fn both(run: impl Fn(u64) -> Outcome + Sync) -> Outcome {
    thread::scope(|scope| {
        let other = scope.spawn(|| run(1));
        let mine = run(0);
        match other.join() {
            Ok(outcome) => mine.beside(outcome),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

#[inline(always)]
fn make_small(worker: &mut Worker<'_>) -> Block {
    let random = worker.random();
    worker.make(small(random), random as u32)
}

/// Blocks that go over together.
const BATCH: usize = 64;

/// Sends a batch if the ring has room for one. Returns how many blocks went.
fn send_batch(worker: &mut Worker<'_>, ring: &Ring, left: usize) -> usize {
    let count = left.min(BATCH);
    if count == 0 || ring.room() < count {
        return 0;
    }
    let mut batch = [Block::NONE; BATCH];
    for place in &mut batch[..count] {
        *place = make_small(worker);
    }
    ring.send(&batch[..count]);
    count
}

/// One thread allocates, the other frees.
pub(super) fn producer_consumer(across: Across<'_>, scale: Scale, fill: Fill) -> Outcome {
    let (total, ring, gate) = (scale.of(500_000, 1000), Ring::new(), Gate::new(2));
    both(|index| {
        let mut worker = Worker::new(across.subject(), fill, 31 + index).behind(&gate);
        let mut left = total;
        worker.start();
        while left > 0 {
            let done = match index {
                0 => send_batch(&mut worker, &ring, left),
                _ => ring.receive(BATCH, |block| worker.free(block)),
            };
            left -= done;
            if done == 0 {
                thread::yield_now();
            }
        }
        worker.stop(if index == 0 { total } else { 0 });
        worker.outcome()
    })
}

/// Both threads allocate, and each frees what the other has allocated.
pub(super) fn xmalloc(across: Across<'_>, scale: Scale, fill: Fill) -> Outcome {
    let (total, rings, gate) = (scale.of(400_000, 1000), [Ring::new(), Ring::new()], Gate::new(2));
    both(|index| {
        let mut worker = Worker::new(across.subject(), fill, 47 + index).behind(&gate);
        let (out, incoming) = (&rings[index as usize], &rings[1 - index as usize]);
        let (mut to_send, mut to_free) = (total, total);
        worker.start();
        while to_send + to_free > 0 {
            let sent = send_batch(&mut worker, out, to_send);
            let freed = incoming.receive(2 * BATCH, |block| worker.free(block));
            to_send -= sent;
            to_free -= freed;
            if sent + freed == 0 {
                thread::yield_now();
            }
        }
        worker.stop(total);
        worker.outcome()
    })
}

/// A server's threads: each replaces blocks at random for a while and hands its blocks to its successor.
pub(super) fn larson(across: Across<'_>, scale: Scale, fill: Fill) -> Outcome {
    const LIVE: usize = 5000;
    let (generations, turns) = (scale.of(8, 2), scale.of(50_000, 200));
    let size = |random: u64| 16 + (((random >> 33) as usize % 496) & !7);
    let gate = Gate::new(2);
    both(|index| {
        let mut worker = Worker::new(across.subject(), fill, 61 + index);
        let mut blocks = places(LIVE);
        for place in &mut blocks {
            let random = worker.random();
            *place = worker.make(size(random), random as u32);
        }
        shuffle(&mut worker, &mut blocks);
        gate.wait();
        let started = Instant::now();
        for generation in 0..generations as u64 {
            let blocks = &mut blocks;
            let live = |_: ()| {
                let mut worker = Worker::new(across.subject(), fill, 100 * generation + index + 71);
                for _ in 0..turns {
                    let random = worker.random();
                    let at = (random >> 40) as usize % LIVE;
                    worker.free(blocks[at]);
                    blocks[at] = worker.make(size(random), random as u32);
                }
                worker.outcome()
            };
            worker.add_clobbered(on_its_own_thread(live).clobbered);
        }
        let elapsed = started.elapsed();
        blocks.into_iter().for_each(|block| worker.free(block));
        Outcome { operations: (generations * turns) as u64, elapsed, ..worker.outcome() }
    })
}

/// Runs a job on a thread that ends with it.
fn on_its_own_thread(job: impl FnOnce(()) -> Outcome + Send) -> Outcome {
    thread::scope(|scope| match scope.spawn(|| job(())).join() {
        Ok(outcome) => outcome,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

/// Two threads free a block each that a third has allocated, and go on with their own: if both get halves of one
/// cache line, every write goes from core to core. An operation is a block with 200 writes.
pub(super) fn cache_scratch(across: Across<'_>, scale: Scale, fill: Fill) -> Outcome {
    const WRITES: u64 = 200;
    let (turns, gate) = (scale.of(10_000, 20), Gate::new(2));
    let mut parent = Worker::new(across.subject(), fill, 83);
    let first = [parent.make(8, 1), parent.make(8, 2)].map(Block::parts);
    // A raw pointer cannot go to a thread by itself.
    let first = first.map(|(ptr, word)| (ptr.expose_provenance(), word));
    both(|index| {
        let mut worker = Worker::new(across.subject(), fill, 89 + index).behind(&gate);
        let (address, word) = first[index as usize];
        if let Some(block) = Block::from_parts(core::ptr::with_exposed_provenance_mut(address), word) {
            worker.free(block);
        }
        worker.start();
        for turn in 0..turns as u64 {
            let block = worker.make(8, turn as u32);
            // SAFETY: the block has 8 bytes, is aligned to 8 and this thread's alone.
            let counter = unsafe { AtomicU64::from_ptr(block.address().cast()) };
            // Relaxed: nobody else looks; an atomic, so that every write is one.
            let before = counter.load(Ordering::Relaxed);
            for write in 0..WRITES {
                counter.store(counter.load(Ordering::Relaxed).wrapping_add(write), Ordering::Relaxed);
            }
            let sum = WRITES * (WRITES - 1) / 2;
            worker.add_clobbered(u64::from(counter.load(Ordering::Relaxed) != before.wrapping_add(sum)));
            counter.store(before, Ordering::Relaxed);
            worker.free(block);
        }
        worker.stop(turns);
        worker.outcome()
    })
}

/// Waves of threads that allocate, free, exchange blocks with all others and end.
pub(super) fn thread_churn(across: Across<'_>, scale: Scale, fill: Fill) -> Outcome {
    let (waves, turns, market) = (scale.of(20, 2), scale.of(10_000, 200), Market::new(1000));
    let size = |random: u64| match random >> 57 {
        0 => 4096 + (((random >> 33) as usize % 28_672) & !7),
        1..=7 => 320 + (((random >> 33) as usize % 3776) & !7),
        _ => small(random),
    };
    let gate = Gate::new(2);
    let mut outcome = both(|index| {
        let mut clobbered = 0;
        gate.wait();
        let started = Instant::now();
        for wave in 0..waves as u64 {
            let live = |_: ()| {
                let mut worker = Worker::new(across.subject(), fill, 1000 * wave + index + 97);
                let mut kept: Vec<Block> = Vec::with_capacity(turns);
                for _ in 0..turns {
                    let random = worker.random();
                    match random >> 20 & 3 {
                        0 if !kept.is_empty() => {
                            let at = worker.below(kept.len());
                            let block = kept.swap_remove(at);
                            worker.free(block);
                        }
                        1 => {
                            let at = worker.below(market.len());
                            let mine = kept.pop();
                            kept.extend(market.exchange(at, mine));
                        }
                        _ => kept.push(worker.make(size(random), random as u32)),
                    }
                }
                kept.into_iter().for_each(|block| worker.free(block));
                worker.outcome()
            };
            clobbered += on_its_own_thread(live).clobbered;
        }
        Outcome { operations: (waves * turns) as u64, elapsed: started.elapsed(), clobbered }
    });
    let mut parent = Worker::new(across.subject(), fill, 101);
    for at in 0..market.len() {
        if let Some(block) = market.exchange(at, None) {
            parent.free(block);
        }
    }
    outcome.clobbered += parent.outcome().clobbered;
    outcome
}
