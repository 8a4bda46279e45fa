//! A full collection of a million objects of three references each: what is live, what is garbage.
//!
//! ```text
//! cargo run --release -p cpymem-cyclegc --example collect_costs
//! ```
//!
//! Times are the best of five, in ns an object. Every number found is checked.

use std::cell::RefCell;
use std::time::Instant;

use cpymem_cyclegc::{Collector, Gc, Trace};

const COUNT: usize = 1 << 20;

#[derive(Trace, Default)]
struct Node {
    edges: RefCell<[Option<Gc<Node>>; 3]>,
}

/// The three targets of object `i`; `COUNT` and above is none.
type Edges = fn(usize, &mut u64) -> [usize; 3];

/// A binary tree whose children know their parent.
fn tree(i: usize, _: &mut u64) -> [usize; 3] {
    [2 * i + 1, 2 * i + 2, if i == 0 { COUNT } else { (i - 1) / 2 }]
}

fn pairs(i: usize, _: &mut u64) -> [usize; 3] {
    [i ^ 1, COUNT, COUNT]
}

fn ring(i: usize, _: &mut u64) -> [usize; 3] {
    [(i + 1) % COUNT, COUNT, COUNT]
}

/// A ring through all objects in a fixed odd stride, and two random targets.
fn random(i: usize, state: &mut u64) -> [usize; 3] {
    let mut next = || {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        (*state >> 20) as usize % COUNT
    };
    [(i + 654_321) % COUNT, next(), next()]
}

fn build(collector: &Collector, edges: Edges) -> Gc<Node> {
    let nodes: Vec<Gc<Node>> = (0..COUNT).map(|_| collector.alloc(Node::default())).collect();
    let mut state = 88_172_645_463_325_252;
    for (i, node) in nodes.iter().enumerate() {
        *node.edges.borrow_mut() = edges(i, &mut state).map(|target| nodes.get(target).cloned());
    }
    nodes[0].clone()
}

fn per_object(start: Instant) -> f64 {
    start.elapsed().as_nanos() as f64 / COUNT as f64
}

fn main() {
    println!("| graph | all live, ns an object | all garbage: found, severed, freed |");
    println!("| --- | ---: | ---: |");
    let graphs: [(&str, Edges); 4] = [("tree", tree), ("pairs", pairs), ("ring", ring), ("random", random)];
    let only = std::env::args().nth(1);
    for (name, edges) in
        graphs.into_iter().filter(|(name, _)| only.as_deref().is_none_or(|only| only == *name))
    {
        let (mut live, mut garbage) = (f64::MAX, f64::MAX);
        for _ in 0..5 {
            let collector = Collector::new();
            collector.disable();
            let root = build(&collector, edges);
            // Pairs fall apart at once: all but the first are garbage.
            let reachable = if name == "pairs" { 2 } else { COUNT };
            let start = Instant::now();
            assert_eq!(collector.collect(), COUNT - reachable, "{name}");
            if reachable == COUNT {
                live = live.min(per_object(start));
                for _ in 0..3 {
                    drop(root.clone()); // or the pass would be skipped
                    let start = Instant::now();
                    assert_eq!(collector.collect(), 0, "{name}");
                    live = live.min(per_object(start));
                }
                drop(root);
                let start = Instant::now();
                assert_eq!(collector.collect(), COUNT, "{name}");
                garbage = garbage.min(per_object(start));
            } else {
                garbage = garbage.min(per_object(start));
            }
        }
        let live = if live == f64::MAX { "-".to_owned() } else { format!("{live:.1}") };
        println!("| {name} | {live} | {garbage:.1} |");
    }
}
