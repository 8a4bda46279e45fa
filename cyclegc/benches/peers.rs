//! A full collection of a million objects of three references each, beside the peers, in one run.
//!
//! ```text
//! CPYMEM_PYTHON=python3.13 cargo bench -p cpymem-cyclegc --features rivals --bench peers
//! ```
//!
//! Nanoseconds an object, best of several, what is found checked. `live`: everything is reachable. `dead`: nothing is; found,
//! taken apart and freed. Without the feature only this crate is measured, without `CPYMEM_PYTHON` no CPython. Rivals run on a
//! thread with a stack of 6 GiB, as several of them recurse.

use std::cell::RefCell;
use std::time::Instant;

use cpymem_cyclegc::{Collector, Gc, Trace};

const COUNT: usize = 1 << 20;
const ROUNDS: usize = 3;
const GRAPHS: [&str; 4] = ["tree", "pairs", "ring", "random"];

/// The targets of every object; `u32::MAX` is none.
fn edges(graph: &str) -> Vec<[u32; 3]> {
    let mut state = 88_172_645_463_325_252u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 20) as usize % COUNT
    };
    let none = COUNT;
    let of = |i: usize| match graph {
        // A binary tree whose children know their parent.
        "tree" => [2 * i + 1, 2 * i + 2, if i == 0 { none } else { (i - 1) / 2 }],
        "pairs" => [i ^ 1, none, none],
        "ring" => [(i + 1) % COUNT, none, none],
        // A ring in a fixed stride, and two random targets.
        _ => [(i + 654_321) % COUNT, random(), random()],
    };
    (0..COUNT).map(of).map(|targets| targets.map(|t| if t < COUNT { t as u32 } else { u32::MAX })).collect()
}

/// Best times so far, in ns an object; NaN if there is none.
#[derive(Clone, Copy)]
struct Best {
    live: f64,
    dead: f64,
}

const NOTHING: Best = Best { live: f64::NAN, dead: f64::NAN };

fn timed<R>(best: &mut f64, run: impl FnOnce() -> R) -> R {
    let start = Instant::now();
    let result = run();
    *best = best.min(start.elapsed().as_nanos() as f64 / COUNT as f64);
    result
}

#[derive(Trace, Default)]
struct Node {
    edges: RefCell<[Option<Gc<Node>>; 3]>,
}

fn ours(edges: &[[u32; 3]], best: &mut Best) {
    let collector = Collector::new();
    collector.disable();
    let nodes: Vec<Gc<Node>> = edges.iter().map(|_| collector.alloc(Node::default())).collect();
    for (node, targets) in nodes.iter().zip(edges) {
        *node.edges.borrow_mut() = targets.map(|target| nodes.get(target as usize).cloned());
    }
    let is_pairs = edges[0] == [1, u32::MAX, u32::MAX] && edges[1][0] == 0;
    let root = nodes[0].clone();
    let mut kept = nodes;
    if !is_pairs {
        kept.clear();
    }
    collector.collect();
    for _ in 0..2 {
        drop(root.clone()); // or the pass would be skipped
        assert_eq!(timed(&mut best.live, || collector.collect()), 0);
    }
    drop((root, kept));
    assert_eq!(timed(&mut best.dead, || collector.collect()), COUNT);
    assert_eq!(collector.objects(), 0);
}

type Peer = (&'static str, fn(&[[u32; 3]], &mut Best));

#[cfg(not(feature = "rivals"))]
const RIVALS: &[Peer] = &[];

#[cfg(feature = "rivals")]
const RIVALS: &[Peer] = &[
    ("gc-arena", rivals::gc_arena),
    ("rust-cc", rivals::rust_cc),
    ("bacon_rajan_cc", rivals::bacon_rajan_cc),
    ("dumpster", rivals::dumpster),
];

#[cfg(feature = "rivals")]
mod rivals {
    use super::{Best, timed};
    use std::cell::RefCell;

    pub(super) fn gc_arena(edges: &[[u32; 3]], best: &mut Best) {
        use gc_arena::lock::RefLock;
        use gc_arena::{Arena, Collect, Gc, Rootable};

        #[derive(Collect)]
        #[collect(no_drop)]
        struct Node<'gc> {
            edges: RefLock<[Option<Gc<'gc, Node<'gc>>>; 3]>,
        }

        let mut arena = Arena::<Rootable![Vec<Gc<'_, Node<'_>>>]>::new(|_| Vec::new());
        let is_pairs = edges[1][0] == 0 && edges[0][1] == u32::MAX;
        arena.mutate_root(|mc, root| {
            let nodes: Vec<_> =
                edges.iter().map(|_| Gc::new(mc, Node { edges: RefLock::new([None; 3]) })).collect();
            for (&node, targets) in nodes.iter().zip(edges) {
                let targets = targets.map(|target| nodes.get(target as usize).copied());
                *gc_arena::barrier::unlock!(Gc::write(mc, node), Node, edges).borrow_mut() = targets;
            }
            *root = if is_pairs { nodes } else { nodes[..1].to_vec() };
        });
        arena.finish_cycle();
        arena.finish_cycle();
        for _ in 0..2 {
            timed(&mut best.live, || arena.finish_cycle());
        }
        arena.mutate_root(|_, root| *root = Vec::new());
        timed(&mut best.dead, || arena.finish_cycle());
    }

    /// Collects with a collector that looks only at what has lost a reference.
    macro_rules! by_candidates {
        ($edges:ident, $best:ident, $Cc:ident, $Node:ident, $collect:ident) => {
            let nodes: Vec<$Cc<$Node>> = $edges.iter().map(|_| $Cc::new($Node(RefCell::default()))).collect();
            for (node, targets) in nodes.iter().zip($edges) {
                *node.0.borrow_mut() = targets.map(|target| nodes.get(target as usize).cloned());
            }
            let root = nodes[0].clone();
            let is_pairs = $edges[1][0] == 0 && $edges[0][1] == u32::MAX;
            let mut kept = nodes;
            match is_pairs {
                // Each object loses a reference, as those of the others do.
                true => kept.iter().for_each(|node| drop(node.clone())),
                false => kept.clear(),
            }
            timed(&mut $best.live, $collect);
            drop((root, kept));
            timed(&mut $best.dead, $collect);
        };
    }

    pub(super) fn rust_cc(edges: &[[u32; 3]], best: &mut Best) {
        use rust_cc::{Cc, Finalize, Trace, collect_cycles, config};

        #[derive(Trace, Finalize)]
        struct Node(RefCell<[Option<Cc<Node>>; 3]>);

        config::config(|config| config.set_auto_collect(false)).unwrap();
        by_candidates!(edges, best, Cc, Node, collect_cycles);
    }

    pub(super) fn bacon_rajan_cc(edges: &[[u32; 3]], best: &mut Best) {
        use bacon_rajan_cc::{Cc, Trace, Tracer, collect_cycles};

        struct Node(RefCell<[Option<Cc<Node>>; 3]>);
        impl Trace for Node {
            fn trace(&self, tracer: &mut Tracer) {
                self.0.borrow().iter().flatten().for_each(|target| target.trace(tracer));
            }
        }
        by_candidates!(edges, best, Cc, Node, collect_cycles);
    }

    pub(super) fn dumpster(edges: &[[u32; 3]], best: &mut Best) {
        use dumpster::Trace;
        use dumpster::unsync::{Gc, collect, set_collect_condition};

        #[derive(Trace)]
        struct Node(RefCell<[Option<Gc<Node>>; 3]>);

        set_collect_condition(|_| false);
        by_candidates!(edges, best, Gc, Node, collect);
    }
}

/// CPython's times, by graph, if an interpreter is named.
fn cpython() -> Option<[Best; GRAPHS.len()]> {
    let mut best = [NOTHING; GRAPHS.len()];
    let python = std::env::var("CPYMEM_PYTHON").ok()?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers.py");
    let output = std::process::Command::new(python).arg(script).arg(COUNT.to_string()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let mut words = line.split(' ');
        let graph = words.next().unwrap();
        let place = GRAPHS.iter().position(|name| *name == graph).unwrap();
        best[place] = Best {
            live: words.next().unwrap().parse().unwrap(),
            dead: words.next().unwrap().parse().unwrap(),
        };
    }
    Some(best)
}

fn run() {
    let only = std::env::var("CPYMEM_ONLY").ok();
    let peers: Vec<Peer> = [("this crate", ours as fn(&[[u32; 3]], &mut Best))]
        .into_iter()
        .chain(RIVALS.iter().copied())
        .filter(|(name, _)| only.as_deref().is_none_or(|only| only.split(',').any(|part| part == *name)))
        .collect();
    let mut table = vec![[NOTHING; GRAPHS.len()]; peers.len()];
    for (column, graph) in GRAPHS.into_iter().enumerate() {
        let edges = edges(graph);
        for _ in 0..ROUNDS {
            for (row, (_, measure)) in peers.iter().enumerate() {
                let best = &mut table[row][column];
                let mut this = Best { live: f64::INFINITY, dead: f64::INFINITY };
                measure(&edges, &mut this);
                *best = Best { live: best.live.min(this.live), dead: best.dead.min(this.dead) };
            }
        }
    }
    println!(
        "| ns an object | {} |",
        GRAPHS.map(|graph| format!("{graph}, live | {graph}, dead")).join(" | ")
    );
    println!("| --- |{}", " ---: |".repeat(2 * GRAPHS.len()));
    let line = |name: &str, row: &[Best; GRAPHS.len()]| {
        let cells = row.map(|best| format!("{:.1} | {:.1}", best.live, best.dead)).join(" | ");
        println!("| {name} | {cells} |");
        row.map(|best| [best.live, best.dead])
    };
    let base = line(peers[0].0, &table[0]);
    let others = peers.iter().map(|(name, _)| *name).zip(&table).skip(1);
    let python = cpython();
    for (name, row) in others.chain(python.iter().map(|row| ("CPython", row))) {
        let row = line(name, row);
        let ratios =
            row.iter().flatten().zip(base.iter().flatten()).map(|(peer, ours)| format!("{:.2}", ours / peer));
        println!("| this crate / {name} | {} |", ratios.collect::<Vec<_>>().join(" | "));
    }
}

fn main() {
    // `cargo test` runs benches too; it need not measure.
    if std::env::args().any(|argument| argument == "--bench") {
        std::thread::Builder::new().stack_size(6 << 30).spawn(run).unwrap().join().unwrap();
    }
}
