//! Small blocks on a [`Heap`] and on the system allocator, in one process, alternating.
//!
//! ```text
//! cargo run --release -p cpymem-allocator --example heap_costs
//! ```
//!
//! Every block's first word is written and read back. Times are the median over the rounds of an allocation
//! with its free, in ns; the ratio below 1 says that the heap is faster.
#![allow(unsafe_code, reason = "allocators hand out raw memory")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::ptr::NonNull;
use std::time::Instant;

use cpymem_allocator::Heap;

const ROUNDS: usize = 21;

/// An allocator behind one call, so that all are called alike.
trait Subject {
    fn alloc(&self, size: usize) -> NonNull<u64>;
    fn free(&self, block: NonNull<u64>, size: usize);
}

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 8).expect("a small size")
}

impl Subject for Heap {
    #[inline(never)]
    fn alloc(&self, size: usize) -> NonNull<u64> {
        Heap::alloc(self, layout(size)).expect("memory").cast()
    }

    #[inline(never)]
    fn free(&self, block: NonNull<u64>, size: usize) {
        // SAFETY: the patterns free each block once, with its size.
        unsafe { self.dealloc(block.cast(), layout(size)) }
    }
}

impl Subject for System {
    #[inline(never)]
    fn alloc(&self, size: usize) -> NonNull<u64> {
        // SAFETY: the sizes are not 0.
        NonNull::new(unsafe { GlobalAlloc::alloc(self, layout(size)) }).expect("memory").cast()
    }

    #[inline(never)]
    fn free(&self, block: NonNull<u64>, size: usize) {
        // SAFETY: the patterns free each block once, with its size.
        unsafe { GlobalAlloc::dealloc(self, block.as_ptr().cast(), layout(size)) }
    }
}

/// A block that knows what was written to it.
struct Live(NonNull<u64>, usize);

fn make(subject: &impl Subject, random: u64) -> Live {
    const SIZES: [usize; 16] = [16, 24, 24, 32, 32, 40, 48, 48, 56, 64, 64, 80, 96, 128, 192, 320];
    let size = black_box(SIZES[(random >> 40) as usize % 16]);
    let block = subject.alloc(size);
    // SAFETY: the block has at least 16 bytes.
    unsafe { block.write(size as u64) };
    Live(block, size)
}

fn free(subject: &impl Subject, Live(block, size): Live) {
    // SAFETY: the block is live and was written.
    assert_eq!(unsafe { block.read() }, size as u64, "clobbered");
    subject.free(block, size);
}

fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// Runs a pattern and returns the number of pairs of allocation and free.
type Pattern<S> = fn(&S) -> usize;

fn ping_pong(subject: &impl Subject) -> usize {
    let mut state = 1;
    (0..200_000).for_each(|_| free(subject, make(subject, random(&mut state))));
    200_000
}

fn window(subject: &impl Subject) -> usize {
    let mut state = 2;
    let mut live: Vec<Live> = (0..32).map(|_| make(subject, random(&mut state))).collect();
    for _ in 0..200_000 {
        let number = random(&mut state);
        let old = std::mem::replace(&mut live[number as usize % 32], make(subject, number));
        free(subject, old);
    }
    live.into_iter().for_each(|block| free(subject, block));
    200_032
}

fn lifo(subject: &impl Subject) -> usize {
    let mut state = 3;
    let mut live = Vec::with_capacity(1000);
    for _ in 0..200 {
        live.extend((0..1000).map(|_| make(subject, random(&mut state))));
        while let Some(block) = live.pop() {
            free(subject, block);
        }
    }
    200_000
}

fn bulk(subject: &impl Subject) -> usize {
    let mut state = 4;
    let live: Vec<Live> = (0..300_000).map(|_| make(subject, random(&mut state))).collect();
    live.into_iter().for_each(|block| free(subject, block));
    300_000
}

fn random_replace(subject: &impl Subject) -> usize {
    let mut state = 5;
    let mut live: Vec<Live> = (0..1 << 20).map(|_| make(subject, random(&mut state))).collect();
    for _ in 0..1 << 20 {
        let number = random(&mut state);
        let old = std::mem::replace(&mut live[number as usize & ((1 << 20) - 1)], make(subject, number));
        free(subject, old);
    }
    live.into_iter().for_each(|block| free(subject, block));
    1 << 21
}

fn time<S: Subject>(subject: &S, pattern: Pattern<S>) -> f64 {
    let start = Instant::now();
    let pairs = pattern(subject);
    start.elapsed().as_nanos() as f64 / pairs as f64
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn main() {
    println!("| pattern | system ns | heap ns | ratio |");
    println!("| --- | ---: | ---: | ---: |");
    let patterns: [(&str, Pattern<Heap>, Pattern<System>); 5] = [
        ("ping-pong", ping_pong, ping_pong),
        ("window of 32", window, window),
        ("1,000 last in first out", lifo, lifo),
        ("300,000 in bulk", bulk, bulk),
        ("1 million live, replaced at random", random_replace, random_replace),
    ];
    let mut product = 1.0;
    for (name, on_heap, on_system) in patterns {
        let rounds = if name.starts_with("1 million") { ROUNDS / 3 } else { ROUNDS };
        let (mut heap_times, mut system_times) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            heap_times.push(time(&Heap::new(), on_heap));
            system_times.push(time(&System, on_system));
        }
        let (heap, system) = (median(heap_times), median(system_times));
        product *= heap / system;
        println!("| {name} | {system:.1} | {heap:.1} | {:.2} |", heap / system);
    }
    println!("| geometric mean | | | {:.2} |", f64::powf(product, 1.0 / patterns.len() as f64));
}
