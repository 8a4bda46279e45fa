//! How long the program stands still: churn beside a million live objects, and steps beside ten million.
//!
//! ```text
//! cargo run --release -p cpymem-cyclegc --example pauses [churn|step]
//! ```
//!
//! Pauses are thread CPU time, and every one counts. What is collected is checked.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use cpymem_cyclegc::{Collector, Gc, Phase, Trace};

#[derive(Trace, Default)]
struct Node {
    edges: RefCell<[Option<Gc<Node>>; 3]>,
}

/// CPU time of this thread.
#[allow(unsafe_code, reason = "a system call fills a struct")]
fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the struct is ours, and the call writes nothing else.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) }, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn random(state: &mut u64, below: usize) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    ((u128::from(*state) * below as u128) >> 64) as usize
}

/// A live binary tree whose children know their parent, as handles on all of it.
fn live_tree(collector: &Collector, count: usize) -> Vec<Gc<Node>> {
    collector.disable();
    let nodes: Vec<Gc<Node>> = (0..count).map(|_| collector.alloc(Node::default())).collect();
    for (i, node) in nodes.iter().enumerate() {
        let parent = if i == 0 { None } else { Some(nodes[(i - 1) / 2].clone()) };
        *node.edges.borrow_mut() = [nodes.get(2 * i + 1).cloned(), nodes.get(2 * i + 2).cloned(), parent];
    }
    nodes
}

fn pair(collector: &Collector) {
    let a = collector.alloc(Node::default());
    let b = collector.alloc(Node::default());
    a.edges.borrow_mut()[0] = Some(b.clone());
    b.edges.borrow_mut()[0] = Some(a);
}

/// What churn does beside.
#[derive(Clone, Copy)]
enum Touch {
    Nothing,
    Look,
    Clone,
}

/// Two million pairs beside a million live objects, with automatic collections.
fn churn(touch: Touch) {
    const LIVE: usize = 1_000_000;
    const PAIRS: usize = 2_000_000;
    let collector = Collector::new();
    let live = live_tree(&collector, LIVE);
    collector.collect();
    let (longest, uncollected, started) =
        (Rc::new(Cell::new(Duration::ZERO)), Cell::new(0), Cell::new(Duration::ZERO));
    let longest_seen = longest.clone();
    collector.add_callback(move |phase, _| match phase {
        Phase::Start => started.set(cpu_time()),
        Phase::Stop => longest_seen.set(longest_seen.get().max(cpu_time() - started.get())),
    });
    collector.enable();
    let mut state = 1;
    let start = Instant::now();
    for i in 0..PAIRS {
        pair(&collector);
        match touch {
            Touch::Nothing => {}
            Touch::Look => drop(std::hint::black_box(live[random(&mut state, LIVE)].edges.borrow())),
            Touch::Clone => drop(live[random(&mut state, LIVE)].clone()),
        }
        if i % 256 == 0 {
            uncollected.set(uncollected.get().max(collector.objects() - LIVE));
        }
    }
    let elapsed = start.elapsed();
    let stats = collector.stats();
    assert!(stats.collected >= 2 * PAIRS - 4000 && stats.inconsistent == 0);
    println!(
        "churn{}: {:.1} ns a pair, longest pause {:.3} ms of {}, at most {} uncollected objects",
        match touch {
            Touch::Nothing => "",
            Touch::Look => ", looking at a random live object",
            Touch::Clone => ", cloning and dropping a handle on a random live object",
        },
        elapsed.as_nanos() as f64 / PAIRS as f64,
        longest.get().as_secs_f64() * 1e3,
        stats.collections,
        uncollected.get(),
    );
    drop(live);
}

/// Pairs of objects made at random distance in time, and so in memory, beside ten million live objects; a step of
/// 500 us after every five hundred pairs.
fn steps() {
    const LIVE: usize = 10_000_000;
    const WAITING: usize = 1_000_000;
    const STEPS: usize = 4_000;
    const PAIRS: usize = 500;
    let collector = Collector::new();
    let root = live_tree(&collector, LIVE).swap_remove(0);
    let mut waiting: Vec<Gc<Node>> = (0..WAITING).map(|_| collector.alloc(Node::default())).collect();
    collector.collect();
    let exact = LIVE + WAITING;
    let (mut pauses, mut state, mut most, mut forced, mut given_up) = (Vec::with_capacity(STEPS), 1, 0, 0, 0);
    for _ in 0..STEPS {
        for _ in 0..PAIRS {
            let a = collector.alloc(Node::default());
            let b = std::mem::replace(
                &mut waiting[random(&mut state, WAITING)],
                collector.alloc(Node::default()),
            );
            a.edges.borrow_mut()[0] = Some(b.clone());
            b.edges.borrow_mut()[0] = Some(a);
        }
        most = most.max(collector.objects());
        let start = cpu_time();
        let report = collector.step(Duration::from_micros(500));
        pauses.push(cpu_time() - start);
        forced += usize::from(report.full_collection || report.over_budget);
        given_up += report.given_up;
    }
    pauses.sort();
    let at = |quantile: f64| pauses[((STEPS - 1) as f64 * quantile) as usize].as_secs_f64() * 1e3;
    println!(
        "step(0.5 ms): p50 {:.3} ms, p99 {:.3} ms, p99.9 {:.3} ms, longest {:.3} ms of {STEPS}; {forced} over budget, {given_up} given up; \
         at most {:.3} times the live objects held",
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0),
        most as f64 / exact as f64,
    );
    let left = collector.objects() - exact;
    assert_eq!(collector.collect(), left);
    assert!(left < exact / 4);
    drop((root, waiting));
}

fn main() {
    let what = std::env::args().nth(1);
    let is_wanted = |name: &str| what.as_deref().is_none_or(|what| what == name);
    if is_wanted("churn") {
        for touch in [Touch::Nothing, Touch::Look, Touch::Clone] {
            churn(touch);
        }
    }
    if is_wanted("step") {
        steps();
    }
}
