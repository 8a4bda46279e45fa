//! Garbage that is made all the time, beside what lives.

use core::time::Duration;
use std::time::Instant;

use super::clock::cpu_time;
use super::full::build;
use super::outcome::{Counts, Latencies, Outcome, Scale};
use super::shape::{Random, Shape};
use super::subject::Counted;

/// What churn does beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touch {
    /// Nothing.
    Nothing,
    /// Looks at a random live object.
    Look,
    /// Clones and drops a handle on a random live object.
    Clone,
}

/// Pairs between two collections of a collector that must be asked.
const PAIRS_BY_HAND: usize = 100_000;

/// Objects that hold each other; where cycles are not freed, one that holds another.
#[inline]
fn pair<C: Counted>(collector: &C) {
    let (a, b) = (collector.node(1), collector.node(2));
    C::set(&a, 0, Some(b.clone()));
    if C::FREES_CYCLES {
        C::set(&b, 0, Some(a));
    }
}

#[inline]
fn touch<C: Counted>(live: &[C::Node], touch: Touch, random: &mut Random, sum: &mut u64) {
    match touch {
        Touch::Nothing => {}
        Touch::Look => *sum += u64::from(C::id(&live[random.below(live.len())])),
        Touch::Clone => *sum += u64::from(C::id(&live[random.below(live.len())].clone())),
    }
}

pub(super) fn churn<C: Counted>(what: Touch, scale: Scale, seed: u64) -> Outcome {
    let (objects, pairs) = (scale.objects(), scale.of(2_000_000));
    let collector = C::new(false);
    let live = build(&collector, &Shape::Tree.targets(objects, seed));
    collector.collect();
    collector.set_automatic(true);
    let by_hand = |i: usize| !C::IS_AUTOMATIC && i.is_multiple_of(PAIRS_BY_HAND);
    let mut outcome = Outcome { operations: pairs as u64, ..Outcome::default() };
    let (mut random, mut checksum) = (Random::new(seed), 0);

    let start = Instant::now();
    for i in 1..=pairs {
        pair(&collector);
        touch::<C>(&live, what, &mut random, &mut checksum);
        if by_hand(i) {
            collector.collect();
        }
    }
    outcome.elapsed = start.elapsed();

    // The same once more for the pauses, as two looks at the clock take longer than a pair.
    let (mut longest, mut most) = (Duration::ZERO, 0);
    let mut before = cpu_time();
    for i in 1..=pairs / 2 {
        pair(&collector);
        touch::<C>(&live, what, &mut random, &mut checksum);
        if by_hand(i) {
            collector.collect();
        }
        let now = cpu_time();
        longest = longest.max(now.saturating_sub(before));
        before = now;
        if i.is_multiple_of(64) {
            most = most.max(collector.alive().saturating_sub(objects));
            before = cpu_time();
        }
    }
    (outcome.longest, outcome.uncollected) = (Some(longest), Some(most));
    if C::FREES_CYCLES {
        collector.collect();
        let alive = collector.alive();
        outcome.fault(alive != objects, || format!("{alive} objects are there, {objects} are live"));
    }
    for (id, node) in (0..).zip(&live) {
        outcome.fault(C::id(node) != id, || format!("object {id} says that it is {}", C::id(node)));
    }
    outcome.counts = Counts {
        made: (objects + 2 * (pairs + pairs / 2)) as u64,
        garbage: 2 * (pairs + pairs / 2) as u64,
        checksum,
    };
    outcome
}

/// Objects of one request.
const OBJECTS: usize = 40;
/// Sessions that live at a time.
const SESSIONS: usize = 10_000;

/// A context and parts that know it; the context knows the last part, and each part the one before.
fn request<C: Counted>(collector: &C, id: u32) -> C::Node {
    let context = collector.node(id);
    let mut last = None;
    for i in 1..OBJECTS as u32 {
        let part = collector.node(id.wrapping_add(i));
        C::set(&part, 0, Some(context.clone()));
        C::set(&part, 1, last.replace(part.clone()));
    }
    C::set(&context, 0, last);
    context
}

pub(super) fn requests<C: Counted>(scale: Scale, seed: u64) -> Outcome {
    let count = scale.of(200_000);
    let sessions = scale.of(SESSIONS).min(SESSIONS);
    let collector = C::new(true);
    let mut live: Vec<C::Node> = (0..sessions).map(|id| request(&collector, id as u32)).collect();
    collector.collect();
    let mut random = Random::new(seed);
    let mut outcome = Outcome { operations: count as u64, ..Outcome::default() };
    let (mut latencies, mut most, mut checksum) = (Vec::with_capacity(count), 0, 0u64);
    let start = Instant::now();
    for id in 0..count {
        let before = cpu_time();
        let place = random.below(8 * sessions);
        let context = request(&collector, id as u32);
        if let Some(session) = live.get_mut(place) {
            *session = context;
        }
        checksum = checksum.wrapping_mul(31) + u64::from(C::id(&live[place % sessions]));
        if !C::IS_AUTOMATIC && (id + 1).is_multiple_of(2 * PAIRS_BY_HAND / OBJECTS) {
            collector.collect();
        }
        latencies.push(cpu_time().saturating_sub(before));
        if id.is_multiple_of(16) {
            most = most.max(collector.alive().saturating_sub(sessions * OBJECTS));
        }
    }
    outcome.elapsed = start.elapsed();
    collector.collect();
    let (alive, expected) = (collector.alive(), sessions * OBJECTS);
    outcome.fault(alive != expected, || format!("{alive} objects are there, {expected} are live"));
    let latencies = Latencies::new(latencies);
    outcome.longest = Some(latencies.quantile(1.0));
    outcome.uncollected = Some(most);
    outcome.latencies = Some(latencies);
    outcome.counts =
        Counts { made: ((count + sessions) * OBJECTS) as u64, garbage: (count * OBJECTS) as u64, checksum };
    outcome
}
