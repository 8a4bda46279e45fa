//! Full collections of graphs that are all live, or all garbage.

use std::time::Instant;

use super::outcome::{Counts, Outcome, Scale};
use super::shape::{Shape, Targets};
use super::subject::Counted;

/// The nodes of a graph, each with its number.
pub(super) fn build<C: Counted>(collector: &C, targets: &[Targets]) -> Vec<C::Node> {
    let nodes: Vec<C::Node> = (0..targets.len() as u32).map(|id| collector.node(id)).collect();
    for (node, targets) in nodes.iter().zip(targets) {
        for (place, target) in targets.iter().enumerate() {
            let target = target.map(|target| nodes[target as usize].clone());
            if target.is_some() {
                C::set(node, place, target);
            }
        }
    }
    nodes
}

/// A graph, every object of which has lost a reference, and handles that reach all of it.
fn held<C: Counted>(collector: &C, shape: Shape, targets: &[Targets]) -> Vec<C::Node> {
    let mut nodes = build(collector, targets);
    if shape.is_connected() {
        nodes.truncate(1);
        return nodes;
    }
    nodes.iter().for_each(|node| drop(node.clone()));
    nodes
}

/// How many objects the handles reach, and a sum over their numbers.
fn reached<C: Counted>(handles: &[C::Node], objects: usize) -> (u64, u64) {
    let mut seen = vec![false; objects];
    let mut stack: Vec<C::Node> = handles.to_vec();
    let (mut count, mut sum) = (0, 0u64);
    while let Some(node) = stack.pop() {
        let id = C::id(&node) as usize;
        if seen.get_mut(id).is_none_or(|seen| std::mem::replace(seen, true)) {
            continue;
        }
        count += 1;
        sum = sum.wrapping_add((id as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        stack.extend((0..3).filter_map(|place| C::target(&node, place)));
    }
    (count, sum)
}

pub(super) fn live<C: Counted>(shape: Shape, scale: Scale, seed: u64) -> Outcome {
    let objects = scale.objects();
    let targets = shape.targets(objects, seed);
    let collector = C::new(false);
    let handles = held(&collector, shape, &targets);
    let mut outcome = Outcome { operations: objects as u64, ..Outcome::default() };
    let start = Instant::now();
    collector.collect();
    outcome.elapsed = start.elapsed();
    let alive = collector.alive();
    outcome.fault(alive != objects, || format!("{alive} of {objects} live objects are there"));
    let (count, checksum) = reached::<C>(&handles, objects);
    outcome.fault(count != objects as u64, || format!("{count} of {objects} live objects are reached"));
    outcome.counts = Counts { made: objects as u64, garbage: 0, checksum };
    drop(handles);
    collector.collect();
    outcome
}

pub(super) fn dead<C: Counted>(shape: Shape, scale: Scale, seed: u64) -> Outcome {
    let objects = scale.objects();
    let targets = shape.targets(objects, seed);
    let collector = C::new(false);
    let handles = held(&collector, shape, &targets);
    // All survive one collection.
    collector.collect();
    let before = collector.alive();
    drop(handles);
    let mut outcome = Outcome { operations: objects as u64, ..Outcome::default() };
    let start = Instant::now();
    collector.collect();
    outcome.elapsed = start.elapsed();
    outcome.fault(before != objects, || format!("{before} of {objects} live objects were there"));
    let alive = collector.alive();
    outcome.fault(alive != 0, || format!("{alive} of {objects} garbage objects are there"));
    outcome.counts = Counts { made: objects as u64, garbage: objects as u64, checksum: 0 };
    outcome
}
