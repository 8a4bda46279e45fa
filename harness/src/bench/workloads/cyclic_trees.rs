//! Trees whose nodes know their parents: nothing but a collection frees them.

use std::cell::RefCell;
use std::rc;
use std::time::{Duration, Instant};

use cpymem_cyclegc::{Collector, Gc, Trace, Weak};
use serde::Serialize;

use crate::bench::record::{Role, SubjectRecord};
use crate::bench::{Failure, Finding, Lane, Page, Setting, Turn, Workload, alternate};
use crate::record::Check;

/// Builds trees of several depths and fan-outs, drops them and collects.
#[derive(Clone, Copy, Debug)]
pub struct CyclicTrees {
    /// Nodes of each shape at scale 1, in as many whole trees as that makes.
    pub nodes: usize,
    /// What a node that is said to refer to its parent does.
    pub linked: Links,
}

/// How a node knows its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Links {
    /// By a reference, which makes the tree one cycle.
    Strong,
    /// By a weak reference.
    Weak,
    /// Not at all.
    None,
}

impl CyclicTrees {
    /// What `cpymem bench` runs.
    pub const STANDARD: CyclicTrees = CyclicTrees { nodes: 40_000, linked: Links::Strong };
}

const SCRIPT: &str = include_str!("../scripts/cyclic_trees.py");
/// Levels under the root, and children of each node above the last level.
const SHAPES: [(u32, u32); 4] = [(10, 2), (5, 4), (3, 10), (1, 100)];

impl Links {
    const ALL: [Links; 3] = [Links::Strong, Links::Weak, Links::None];

    /// What the script calls it, too.
    fn measured(self, what: &str) -> String {
        let word = match self {
            Links::Strong => "strong",
            Links::Weak => "weak",
            Links::None => "none",
        };
        format!("parents {word}: {what}")
    }
}

/// Trees of one shape.
#[derive(Clone, Copy, Debug, Serialize)]
struct Shape(u32, u32, usize);

impl Shape {
    fn new((depth, fan_out): (u32, u32), nodes: usize) -> Shape {
        let tree = Shape(depth, fan_out, 1).nodes();
        Shape(depth, fan_out, (nodes / tree).max(2))
    }

    /// Nodes of all its trees.
    fn nodes(self) -> usize {
        self.2 * (0..=self.0).map(|level| (self.1 as usize).pow(level)).sum::<usize>()
    }

    /// Nodes that have children.
    fn inner(self) -> usize {
        self.2 * (0..self.0).map(|level| (self.1 as usize).pow(level)).sum::<usize>()
    }

    /// What the script calls it, too.
    fn deaths(self, links: Links) -> String {
        links.measured(&format!("die, {} deep by {}", self.0, self.1))
    }
}

impl Workload for CyclicTrees {
    fn page(&self) -> Page {
        Page {
            name: "cyclic-trees",
            shows: "trees whose nodes refer to their parents die by the collector alone, to the last node; with weak \
                    parents, or none, by their counts alone",
            stands_for: "object models with parent links, such as parsed documents: 17 % of the deaths in a recorded \
                         program of that kind, where others show 0.02 to 4 %",
            costs: "0.1 s a turn and 10 MiB; with CPython half a second and 30 MiB",
        }
    }

    fn run(&self, setting: &Setting<'_>) -> Result<Finding, Failure> {
        #[derive(Serialize)]
        struct Amount<'a> {
            shapes: &'a [Shape],
            links: [Links; 3],
        }
        let nodes = setting.amount(self.nodes, 2_000);
        let shapes = SHAPES.map(|shape| Shape::new(shape, nodes));
        let collector = Collector::new();
        // No collection starts by itself, so that what a collection finds is counted in one place.
        collector.disable();
        let mut lanes = vec![
            Lane::new("cpymem", Role::Ours, |turn| {
                for said in Links::ALL {
                    let links = if said == Links::Strong { self.linked } else { said };
                    ours(&collector, &shapes, said, links, turn);
                }
            }),
            Lane::new("std", Role::Peer, |turn| {
                for links in [Links::Weak, Links::None] {
                    std_trees(&shapes, links, turn);
                }
            }),
        ];
        let amount = Amount { shapes: &shapes, links: Links::ALL };
        for python in setting.pythons {
            lanes.push(python.lane(SCRIPT, &amount)?);
        }
        let mut checks = Vec::new();
        let subjects = alternate(lanes, setting, &mut checks)?;
        subjects.iter().for_each(|subject| claim(subject, &shapes, &mut checks));
        let list = |part: &dyn Fn(&Shape) -> String| shapes.iter().map(part).collect::<Vec<_>>().join(", ");
        let amount = list(&|shape| format!("{} trees {} deep by {}", shape.2, shape.0, shape.1));
        let notes = vec![
            "std: a parent that is referred to by an Rc leaks with all its tree; only its weak parents are shown"
                .to_owned(),
        ];
        Ok(Finding { amount, subjects, checks, notes })
    }
}

/// Everything of a shape dies, by the one or by the other; and a collection finds exactly what it must.
fn claim(subject: &SubjectRecord, shapes: &[Shape], checks: &mut Vec<Check>) {
    let name = &subject.name;
    let sum = |of: fn(Shape) -> usize| shapes.iter().map(|&shape| of(shape) as u64).sum::<u64>();
    for links in Links::ALL {
        let mut equal = |what: &str, expected: u64| {
            let what = links.measured(what);
            let seen = subject.count(&what);
            checks.extend(seen.map(|seen| Check::equal(format!("{name}: {what}"), expected, seen)));
        };
        let by_collector = if links == Links::Strong { sum(Shape::nodes) } else { 0 };
        equal("died by count", sum(Shape::nodes) - by_collector);
        equal("died by the collector", by_collector);
        // CPython's lists of children are objects of their own, part of the same cycles.
        let lists = subject.role == Role::Python && links == Links::Strong;
        equal("found", by_collector + if lists { sum(Shape::inner) } else { 0 });
    }
}

/// A node of the collector's.
#[derive(Trace)]
struct Node {
    parent: RefCell<Parent>,
    children: RefCell<Vec<Gc<Node>>>,
}

#[derive(Trace)]
enum Parent {
    Strong(Gc<Node>),
    Weak(Weak<Node>),
    None,
}

fn tree(collector: &Collector, depth: u32, fan_out: u32, links: Links) -> Gc<Node> {
    let node =
        collector.alloc(Node { parent: RefCell::new(Parent::None), children: RefCell::new(Vec::new()) });
    if depth > 0 {
        let children = (0..fan_out).map(|_| {
            let child = tree(collector, depth - 1, fan_out, links);
            *child.parent.borrow_mut() = match links {
                Links::Strong => Parent::Strong(node.clone()),
                Links::Weak => Parent::Weak(Gc::downgrade(&node)),
                Links::None => Parent::None,
            };
            child
        });
        *node.children.borrow_mut() = children.collect();
    }
    node
}

/// Trees that are said to be linked in one way, and are in another in tests.
fn ours(collector: &Collector, shapes: &[Shape], said: Links, links: Links, turn: &mut Turn) {
    let (mut build, mut nodes) = (Duration::ZERO, 0);
    let (mut by_count, mut by_collector, mut found) = (0, 0, 0);
    for &shape in shapes {
        let start = Instant::now();
        let roots: Vec<Gc<Node>> = (0..shape.2).map(|_| tree(collector, shape.0, shape.1, links)).collect();
        build += start.elapsed();
        let made = collector.objects();
        let left = turn.time(&shape.deaths(said), made, || {
            drop(roots);
            let left = collector.objects();
            found += collector.collect();
            left
        });
        nodes += made;
        by_count += made - left;
        by_collector += left - collector.objects();
    }
    turn.ns(&said.measured("build"), build.as_nanos() as f64 / nodes as f64);
    turn.count(&said.measured("died by count"), by_count as u64);
    turn.count(&said.measured("died by the collector"), by_collector as u64);
    turn.count(&said.measured("found"), found as u64);
}

/// A node of std's.
struct StdNode {
    parent: RefCell<rc::Weak<StdNode>>,
    children: RefCell<Vec<rc::Rc<StdNode>>>,
}

fn std_tree(depth: u32, fan_out: u32, links: Links) -> rc::Rc<StdNode> {
    let node = rc::Rc::new(StdNode { parent: RefCell::default(), children: RefCell::default() });
    if depth > 0 {
        let children = (0..fan_out).map(|_| {
            let child = std_tree(depth - 1, fan_out, links);
            if links == Links::Weak {
                *child.parent.borrow_mut() = rc::Rc::downgrade(&node);
            }
            child
        });
        *node.children.borrow_mut() = children.collect();
    }
    node
}

/// A weak reference to every node of a tree.
fn census(node: &rc::Rc<StdNode>, into: &mut Vec<rc::Weak<StdNode>>) {
    into.push(rc::Rc::downgrade(node));
    node.children.borrow().iter().for_each(|child| {
        debug_assert!(child.parent.borrow().upgrade().is_none_or(|parent| rc::Rc::ptr_eq(&parent, node)));
        census(child, into);
    });
}

fn std_trees(shapes: &[Shape], links: Links, turn: &mut Turn) {
    let (mut time, mut nodes, mut dead) = (Duration::ZERO, 0, 0);
    for &shape in shapes {
        let build = || (0..shape.2).map(|_| std_tree(shape.0, shape.1, links)).collect::<Vec<_>>();
        let start = Instant::now();
        let roots = build();
        time += start.elapsed();
        turn.time(&shape.deaths(links), shape.nodes(), || drop(roots));
        nodes += shape.nodes();
        // Counted apart: what counts keeps the memory of the dead.
        let mut all = Vec::new();
        let roots = build();
        roots.iter().for_each(|root| census(root, &mut all));
        drop(roots);
        dead += all.iter().filter(|node| node.strong_count() == 0).count();
    }
    turn.ns(&links.measured("build"), time.as_nanos() as f64 / nodes as f64);
    turn.count(&links.measured("died by count"), dead as u64);
}

#[cfg(test)]
mod tests {
    use super::super::tests::{broken, holds};
    use super::*;

    #[test]
    fn trees_without_strong_parents_leave_nothing_to_the_collector() {
        let small = CyclicTrees { nodes: 20_000, ..CyclicTrees::STANDARD };
        assert_eq!(holds(&small), Vec::<String>::new());
        for linked in [Links::Weak, Links::None] {
            let claims = broken(&CyclicTrees { linked, ..small });
            assert!(claims.contains(&"cpymem: parents strong: died by the collector".to_owned()));
        }
    }
}
