//! A spike of memory, and what of it goes back.

use std::time::Instant;

use serde::Serialize;

use crate::bench::blocks::Blocks;
use crate::bench::record::{Role, SubjectRecord};
use crate::bench::{Failure, Finding, Lane, Page, Random, Setting, Turn, Workload, alternate};
use crate::pymalloc::Pymalloc;
use crate::record::Check;
use crate::replay::subject::{Cpymem, Subject, System};
use crate::units;

/// Makes many blocks on top of a small base, frees them, and looks at what is held: at once, and when the allocator
/// was asked to give back what it can.
#[derive(Clone, Copy, Debug)]
pub struct SpikeThenIdle {
    /// Bytes of the spike at scale 1.
    pub spike: usize,
    /// Bytes that live before and after it, made first.
    pub base: usize,
    /// Blocks of the base that are made after every so many bytes of the spike, in its midst; 0: all before it.
    pub mixed_in: usize,
}

impl SpikeThenIdle {
    /// What `cpymem bench` runs.
    pub const STANDARD: SpikeThenIdle = SpikeThenIdle { spike: 64 << 20, base: 1 << 20, mixed_in: 0 };
}

const SCRIPT: &str = include_str!("../scripts/spike_then_idle.py");
/// Share of the spike that may stay.
const STAYS: f64 = 0.1;

#[derive(Clone, Copy, Serialize)]
struct Amount {
    seed: u64,
    spike: usize,
    base: usize,
    mixed_in: usize,
}

impl Workload for SpikeThenIdle {
    fn page(&self) -> Page {
        Page {
            name: "spike-then-idle",
            shows: "a spike of which nothing survives goes back: whole arenas at once in pymalloc, single pools at a \
                    purge in a cpymem heap; one survivor in each MiB would keep every arena",
            stands_for: "a batch job or a large response in a server: does RSS come down again?",
            costs: "0.3 s a turn and 150 MiB",
        }
    }

    fn run(&self, setting: &Setting<'_>) -> Result<Finding, Failure> {
        let spike = setting.amount(self.spike, 8 << 20);
        let amount = Amount { seed: setting.seed, spike, base: self.base, mixed_in: self.mixed_in };
        let mut lanes = vec![
            lane::<Cpymem>(amount, Role::Ours),
            lane::<Pymalloc>(amount, Role::Peer),
            lane::<System>(amount, Role::Peer),
        ];
        for python in setting.pythons {
            lanes.push(python.lane(SCRIPT, &amount)?);
        }
        let mut checks = Vec::new();
        let subjects = alternate(lanes, setting, &mut checks)?;
        checks.extend(subjects.iter().filter_map(claim));
        let old = setting.pythons.iter().filter(|python| python.version() < (3, 3));
        let notes =
            old.map(|python| format!("{} does not tell how many arenas it has", python.name())).collect();
        let amount = format!(
            "{} of blocks of 16 to 512 bytes over a base of {}",
            units::bytes(spike as u64),
            units::bytes(self.base as u64)
        );
        Ok(Finding { amount, subjects, checks, notes })
    }
}

/// What stays of what the spike added, once it is over. Beside a tenth of it there may stay what is open between the
/// base and the spike, and the one empty arena that pymalloc keeps.
fn claim(subject: &SubjectRecord) -> Option<Check> {
    let (what, kept) =
        if subject.role == Role::Python { ("arenas", 3.0) } else { ("held", (2 << 20) as f64) };
    let at = |when: &str| Some(subject.series(&format!("{what}, {when}"))?.estimate.median);
    let (before, spike) = (at("before")?, at("spike")?);
    let after = at("purged").or_else(|| at("freed"))?;
    let stays = (after - before).max(0.0) / (spike - before).max(1.0);
    let limit = STAYS + kept / (spike - before).max(1.0);
    // The C library gives back what it likes: where its heap ends decides.
    (subject.name != "system")
        .then(|| Check::at_most(format!("{}: {what} that stay, of the spike's", subject.name), limit, stays))
}

fn lane<'a, S: Subject + 'a>(amount: Amount, role: Role) -> Lane<'a> {
    Lane::new(S::NAME, role, move |turn| spike::<S>(amount, turn))
}

fn spike<S: Subject>(amount: Amount, turn: &mut Turn) {
    let mut random = Random::new(amount.seed);
    let mut sizes = |bytes: usize| {
        let (mut sizes, mut sum) = (Vec::new(), 0);
        while sum < bytes {
            let size = 16 + random.below(497);
            sizes.push(size);
            sum += size;
        }
        sizes
    };
    let (base, spike) = (sizes(amount.base), sizes(amount.spike));
    let mut blocks = Blocks::<S>::new(base.len() + spike.len());
    let state = |blocks: &Blocks<S>, turn: &mut Turn, label: &str| {
        turn.bytes(&format!("held, {label}"), blocks.held_bytes());
        if let Some((_, arenas)) = blocks.pools_and_arenas() {
            turn.count(&format!("arenas, {label}"), arenas);
        }
        turn.held(label, blocks.live_bytes(), blocks.held_bytes());
    };
    blocks.during(|blocks| base.iter().enumerate().for_each(|(place, &size)| blocks.put(place, size)));
    state(&blocks, turn, "before");
    blocks.during(|blocks| {
        turn.time("alloc", spike.len(), || {
            let mut next = 0;
            let mut since = 0;
            for (index, &size) in spike.iter().enumerate() {
                blocks.put(base.len() + index, size);
                since += size;
                if amount.mixed_in > 0 && since >= amount.mixed_in {
                    // A block of the base is made anew here.
                    blocks.put(next % base.len(), base[next % base.len()]);
                    (next, since) = (next + 1, 0);
                }
            }
        });
    });
    state(&blocks, turn, "spike");
    blocks.during(|blocks| {
        turn.time("free", spike.len(), || {
            (base.len()..base.len() + spike.len()).for_each(|place| blocks.free(place))
        });
    });
    state(&blocks, turn, "freed");
    let start = Instant::now();
    blocks.during(Blocks::purge);
    turn.pause("purge, and looking at what is resident", start.elapsed().as_nanos() as f64);
    state(&blocks, turn, "purged");
    turn.count("live when purged, bytes", blocks.live_bytes());
    blocks.clear();
    turn.count("blocks that lost their content", blocks.clobbered() + blocks.out_of_memory());
}

#[cfg(test)]
mod tests {
    use super::super::tests::{broken, holds};
    use super::*;

    #[test]
    fn one_block_that_stays_in_each_part_of_the_spike_keeps_the_arenas() {
        assert_eq!(holds(&SpikeThenIdle::STANDARD), Vec::<String>::new());
        let claims = broken(&SpikeThenIdle { mixed_in: 256 << 10, ..SpikeThenIdle::STANDARD });
        assert!(claims.iter().any(|claim| claim.starts_with("pymalloc: held")), "{claims:?}");
    }
}
