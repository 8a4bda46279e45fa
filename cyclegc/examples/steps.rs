//! Steps of a bounded time between requests, as a server that must not stand still would take them: beside ten million live objects.
//!
//! ```text
//! cargo run --release -p cpymem-cyclegc --example steps
//! ```
//!
//! Pauses are thread CPU time, and every one counts. What is collected is checked.

use std::cell::RefCell;
use std::time::Duration;

use cpymem_cyclegc::{Collector, Gc, Trace};

/// Objects that live all the time.
const LIVE: usize = 10_000_000;
/// Objects that wait for the second half of their pair.
const WAITING: usize = 1_000_000;
/// Requests, each with a step behind it.
const STEPS: usize = 4_000;
/// Pairs that a request leaves behind.
const PAIRS: usize = 500;
/// What a step may take.
const BUDGET: Duration = Duration::from_micros(500);

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

/// A live binary tree whose children know their parent; its root.
fn live_tree(collector: &Collector) -> Gc<Node> {
    let mut nodes: Vec<Gc<Node>> = (0..LIVE).map(|_| collector.alloc(Node::default())).collect();
    for (i, node) in nodes.iter().enumerate() {
        let parent = if i == 0 { None } else { Some(nodes[(i - 1) / 2].clone()) };
        *node.edges.borrow_mut() = [nodes.get(2 * i + 1).cloned(), nodes.get(2 * i + 2).cloned(), parent];
    }
    nodes.swap_remove(0)
}

/// Makes the pairs of a request, of objects at a random distance in time, and so in memory.
fn request(collector: &Collector, waiting: &mut [Gc<Node>], state: &mut u64) {
    for _ in 0..PAIRS {
        let a = collector.alloc(Node::default());
        let b = std::mem::replace(&mut waiting[random(state, WAITING)], collector.alloc(Node::default()));
        a.edges.borrow_mut()[0] = Some(b.clone());
        b.edges.borrow_mut()[0] = Some(a);
    }
}

fn main() {
    let collector = Collector::new();
    // Nothing is collected but in steps.
    collector.disable();
    let root = live_tree(&collector);
    let mut waiting: Vec<Gc<Node>> = (0..WAITING).map(|_| collector.alloc(Node::default())).collect();
    collector.collect();
    let exact = LIVE + WAITING;
    let (mut pauses, mut state, mut most, mut over, mut given_up) = (Vec::with_capacity(STEPS), 1, 0, 0, 0);
    for _ in 0..STEPS {
        request(&collector, &mut waiting, &mut state);
        most = most.max(collector.objects());
        let start = cpu_time();
        let report = collector.step(BUDGET);
        pauses.push(cpu_time() - start);
        over += usize::from(report.full_collection || report.over_budget);
        given_up += report.given_up;
    }
    pauses.sort();
    let at = |quantile: f64| pauses[((STEPS - 1) as f64 * quantile) as usize].as_secs_f64() * 1e3;
    println!(
        "step(0.5 ms): p50 {:.3} ms, p99 {:.3} ms, p99.9 {:.3} ms, longest {:.3} ms of {STEPS}; {over} over budget, {given_up} given up; \
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
