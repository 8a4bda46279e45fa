//! A full collection of ten million live objects at random, with one thread and with two.
//!
//! ```text
//! cargo run --release -p cpymem-cyclegc --example threads [OBJECTS]
//! ```
//!
//! Every object has three edges: a ring in a fixed odd stride, and two random ones. Times of whole collections are the best of three,
//! taken in turns.

use std::cell::RefCell;
use std::time::Instant;

use cpymem_cyclegc::{Collector, Gc, Trace};

#[derive(Trace, Default)]
struct Node {
    edges: RefCell<[Option<Gc<Node>>; 3]>,
}

fn main() {
    let count: usize = std::env::args().nth(1).map_or(10_000_000, |count| count.parse().unwrap());
    let collector = Collector::new();
    collector.disable();
    let nodes: Vec<Gc<Node>> = (0..count).map(|_| collector.alloc(Node::default())).collect();
    let mut state = 88_172_645_463_325_252u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 20) as usize % count
    };
    for (i, node) in nodes.iter().enumerate() {
        let targets = [(i + 654_321) % count, random(), random()];
        *node.edges.borrow_mut() = targets.map(|target| Some(nodes[target].clone()));
    }
    let root = nodes[0].clone();
    drop(nodes);
    let mut best = [f64::MAX; 2];
    for _ in 0..3 {
        for threads in [1, 2] {
            collector.set_threads(threads, 0);
            drop(root.clone()); // or the pass would be skipped
            let start = Instant::now();
            assert_eq!(collector.collect(), 0);
            best[threads - 1] = best[threads - 1].min(start.elapsed().as_secs_f64());
        }
    }
    let per_object = best.map(|seconds| seconds * 1e9 / count as f64);
    println!("| objects | one thread, ns an object | two | ratio |");
    println!("| ---: | ---: | ---: | ---: |");
    println!("| {count} | {:.1} | {:.1} | {:.2} |", per_object[0], per_object[1], best[0] / best[1]);
    drop(root);
    assert_eq!(collector.collect(), count);
}
