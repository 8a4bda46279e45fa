//! Objects that come and go: trees, references at random, and heaps that are given.

use std::time::Instant;

use super::outcome::{Counts, Outcome, Scale};
use super::shape::Random;
use super::subject::Counted;
use crate::graph::{Graph, GraphError, References};

/// A binary tree of so many levels.
fn tree<C: Counted>(collector: &C, levels: u32) -> C::Node {
    let node = collector.node(levels);
    if levels > 1 {
        C::set(&node, 0, Some(tree(collector, levels - 1)));
        C::set(&node, 1, Some(tree(collector, levels - 1)));
    }
    node
}

fn nodes<C: Counted>(tree: &C::Node) -> u64 {
    let below = (0..2).filter_map(|place| C::target(tree, place));
    1 + below.map(|node| nodes::<C>(&node)).sum::<u64>()
}

/// The benchmark of that name: trees are made, counted and dropped, beside one that stays.
pub(super) fn trees<C: Counted>(scale: Scale) -> Outcome {
    let deepest = (scale.of(65_536).next_power_of_two().ilog2()).clamp(6, 20);
    let collector = C::new(true);
    let mut outcome = Outcome::default();
    let start = Instant::now();
    let stays = tree(&collector, deepest);
    let (mut made, mut counted) = ((1u64 << deepest) - 1, 0);
    for levels in (4..=deepest).step_by(4) {
        for _ in 0..1 << (deepest - levels) {
            counted += nodes::<C>(&tree(&collector, levels));
            made += (1 << levels) - 1;
        }
    }
    counted += nodes::<C>(&stays);
    drop(stays);
    outcome.elapsed = start.elapsed();
    outcome.operations = made;
    outcome.fault(counted != made, || format!("{counted} of {made} nodes were counted"));
    collector.collect();
    let alive = collector.alive();
    outcome.fault(alive != 0, || format!("{alive} dropped nodes are there"));
    outcome.counts = Counts { made, garbage: 0, checksum: counted };
    outcome
}

/// The method of dumpster's benchmark (`dumpster_bench`): of fifty objects at first, one is made, loses its handle, gains or loses a
/// reference to another, at random; in the end all handles go and everything is collected.
pub(super) fn references<C: Counted>(scale: Scale, seed: u64) -> Outcome {
    let operations = scale.of(1_000_000);
    let collector = C::new(true);
    let mut random = Random::new(seed);
    let (mut made, mut checksum) = (50, 0u64);
    let mut bags: Vec<C::Bag> = (0..50).map(|_| collector.bag()).collect();
    let start = Instant::now();
    for _ in 0..operations {
        if bags.is_empty() {
            bags.push(collector.bag());
            made += 1;
            continue;
        }
        match random.below(4) {
            0 => {
                bags.push(collector.bag());
                made += 1;
            }
            1 if bags.len() > 1 => {
                let (from, to) = (random.below(bags.len()), random.below(bags.len()));
                let target = bags[to].clone();
                C::with_bag(&bags[from], |bag| bag.push(target));
            }
            1 => {}
            2 => drop(bags.swap_remove(random.below(bags.len()))),
            _ => {
                let from = random.below(bags.len());
                checksum += C::with_bag(&bags[from], |bag| {
                    if !bag.is_empty() {
                        bag.swap_remove(random.below(bag.len()));
                    }
                    bag.len() as u64
                });
            }
        }
    }
    checksum = checksum.wrapping_mul(31) + bags.len() as u64;
    drop(bags);
    collector.collect();
    let mut outcome =
        Outcome { operations: operations as u64, elapsed: start.elapsed(), ..Outcome::default() };
    let alive = collector.alive();
    outcome.fault(alive != 0, || format!("{alive} of {made} objects that nothing holds are there"));
    outcome.counts = Counts { made, garbage: 0, checksum };
    outcome
}

/// A heap with hubs that many refer to, chains, and garbage: an eighth of it.
fn program(objects: usize, seed: u64) -> Result<Graph, GraphError> {
    let mut random = Random::new(seed);
    let mut graph = Graph::new();
    let first_dead = objects - objects / 8;
    for object in 0..objects {
        let mut targets = Vec::with_capacity(8);
        if object < first_dead {
            // The live ones hang on the first; every 64th is a hub.
            targets.extend((object + 1 < first_dead).then_some(object as u32 + 1));
            targets.extend((0..random.below(4)).map(|_| (random.below(first_dead) & !63) as u32));
        } else {
            // Cycles of eight that look at live objects, some of which know the next cycle.
            let place = (object - first_dead) % 8;
            let next = if place == 7 || object + 1 == objects { object - place } else { object + 1 };
            targets.push(next as u32);
            targets.push(random.below(first_dead) as u32);
            targets.extend((place == 0 && object + 8 < objects).then_some(object as u32 + 8));
        }
        graph.push(References::Outside(u32::from(object == 0)), targets)?;
    }
    Ok(graph)
}

pub(super) fn imported<C: Counted>(scale: Scale, seed: u64) -> Outcome {
    match program(scale.objects(), seed) {
        Ok(graph) => collect_graph::<C>(&graph),
        Err(error) => Outcome { faults: vec![error.to_string()], ..Outcome::default() },
    }
}

/// Builds a graph, gives up all handles but those from outside, and times a full collection.
pub(super) fn collect_graph<C: Counted>(graph: &Graph) -> Outcome {
    let objects = graph.objects();
    let mut outcome = Outcome { operations: objects as u64, ..Outcome::default() };
    let outside = match graph.outside() {
        Ok(outside) => outside,
        Err(error) => {
            outcome.faults.push(error.to_string());
            return outcome;
        }
    };
    let garbage = objects - reachable(graph, &outside);
    let collector = C::new(false);
    let bags: Vec<C::Bag> = (0..objects).map(|_| collector.bag()).collect();
    for (object, bag) in (0..).zip(&bags) {
        let targets = graph.targets(object).iter().map(|&target| bags[target as usize].clone());
        C::with_bag(bag, |bag| bag.extend(targets));
    }
    let handles: Vec<C::Bag> =
        bags.iter().zip(&outside).filter(|(_, count)| **count > 0).map(|(bag, _)| bag.clone()).collect();
    drop(bags);
    let start = Instant::now();
    collector.collect();
    outcome.elapsed = start.elapsed();
    let (alive, live) = (collector.alive(), objects - garbage);
    outcome.fault(alive != live, || format!("{alive} objects are there, {live} are live"));
    let checksum = graph.edges() as u64;
    outcome.counts = Counts { made: objects as u64, garbage: garbage as u64, checksum };
    drop(handles);
    collector.collect();
    outcome
}

/// Objects that the outside reaches.
fn reachable(graph: &Graph, outside: &[u32]) -> usize {
    let mut reached: Vec<bool> = outside.iter().map(|&count| count > 0).collect();
    let mut stack: Vec<u32> = (0..).zip(&reached).filter(|(_, reached)| **reached).map(|(i, _)| i).collect();
    let mut count = 0;
    while let Some(object) = stack.pop() {
        count += 1;
        for &target in graph.targets(object) {
            if !std::mem::replace(&mut reached[target as usize], true) {
                stack.push(target);
            }
        }
    }
    count
}
