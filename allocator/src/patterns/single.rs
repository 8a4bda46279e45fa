//! What one thread does with blocks that it keeps itself.

use super::worker::{Block, Scale, Worker};

/// The sizes of small objects, most often those of CPython's own.
const SMALL: [usize; 16] = [16, 24, 24, 32, 32, 40, 48, 48, 56, 64, 64, 80, 96, 128, 192, 320];

#[inline(always)]
pub(super) fn small(random: u64) -> usize {
    SMALL[(random >> 40) as usize % SMALL.len()]
}

/// 16 bytes to 8 KiB, each doubling as often as any other.
#[inline(always)]
fn mixed(random: u64) -> usize {
    let doubling = 4 + (random >> 32) % 9;
    ((1usize << doubling) + (random >> 44) as usize % (1 << doubling)) & !7
}

#[inline(always)]
fn make_small(worker: &mut Worker<'_>) -> Block {
    let random = worker.random();
    worker.make(small(random), random as u32)
}

/// Room for blocks, resident before the clock runs.
pub(super) fn places(count: usize) -> Vec<Block> {
    let mut places = vec![Block::NONE; count];
    core::hint::black_box(&mut places[..]).fill(Block::NONE);
    places
}

pub(super) fn shuffle<T>(worker: &mut Worker<'_>, items: &mut [T]) {
    for end in (1..items.len()).rev() {
        let other = worker.below(end + 1);
        items.swap(end, other);
    }
}

pub(super) fn ping_pong(worker: &mut Worker<'_>, scale: Scale) {
    let turns = scale.of(1_000_000, 100);
    worker.start();
    for _ in 0..turns {
        let block = make_small(worker);
        worker.free(block);
    }
    worker.stop(turns);
}

pub(super) fn lifo(worker: &mut Worker<'_>, scale: Scale) {
    let rounds = scale.of(1000, 2);
    let mut live = places(1000);
    worker.start();
    for _ in 0..rounds {
        for place in &mut live {
            *place = make_small(worker);
        }
        for &block in live.iter().rev() {
            worker.free(block);
        }
    }
    worker.stop(rounds * live.len());
}

pub(super) fn fifo(worker: &mut Worker<'_>, scale: Scale) {
    let turns = scale.of(1_000_000, 2000);
    let mut live = places(1000);
    live.fill_with(|| make_small(worker));
    let mut at = 0;
    worker.start();
    for _ in 0..turns {
        let block = make_small(worker);
        let old = core::mem::replace(&mut live[at], block);
        worker.free(old);
        at = if at + 1 == live.len() { 0 } else { at + 1 };
    }
    worker.stop(turns);
    live.into_iter().for_each(|block| worker.free(block));
}

pub(super) fn random_batches(worker: &mut Worker<'_>, scale: Scale) {
    let most = 2000;
    let mut live = places(most);
    let (turns, mut done) = (scale.of(600_000, 2000), 0);
    worker.start();
    while done < turns {
        let count = 1 + worker.below(most);
        for place in &mut live[..count] {
            *place = make_small(worker);
        }
        for left in (1..=count).rev() {
            let at = worker.below(left);
            worker.free(live[at]);
            live[at] = live[left - 1];
        }
        done += count;
    }
    worker.stop(done);
}

fn churn(worker: &mut Worker<'_>, live: usize, turns: usize, size: fn(u64) -> usize) {
    let mut blocks = places(live);
    for place in &mut blocks {
        let random = worker.random();
        *place = worker.make(size(random), random as u32);
    }
    // The population is as old programs have it, not in the order of its birth.
    shuffle(worker, &mut blocks);
    worker.start();
    for _ in 0..turns {
        let random = worker.random();
        let block = worker.make(size(random), random as u32);
        let at = ((random >> 32).wrapping_mul(live as u64) >> 32) as usize;
        let old = core::mem::replace(&mut blocks[at], block);
        worker.free(old);
    }
    worker.stop(turns);
    blocks.into_iter().for_each(|block| worker.free(block));
}

pub(super) fn churn_10k(worker: &mut Worker<'_>, scale: Scale) {
    churn(worker, scale.of(10_000, 100), scale.of(600_000, 200), small);
}

pub(super) fn churn_1m(worker: &mut Worker<'_>, scale: Scale) {
    churn(worker, scale.of(1_000_000, 1000), scale.of(1_000_000, 2000), small);
}

pub(super) fn mixed_sizes(worker: &mut Worker<'_>, scale: Scale) {
    churn(worker, scale.of(1000, 100), scale.of(500_000, 200), mixed);
}

pub(super) fn free_at_random(worker: &mut Worker<'_>, scale: Scale) {
    let mut live = places(scale.of(1_000_000, 1000));
    worker.start();
    for place in &mut live {
        *place = make_small(worker);
    }
    worker.stop(live.len());
    shuffle(worker, &mut live);
    worker.start();
    for &block in &live {
        worker.free(block);
    }
    worker.stop(0);
}
