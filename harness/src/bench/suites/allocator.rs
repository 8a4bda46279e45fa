//! The allocator's patterns as a comparison of `cpymem bench`; `cpymem bench allocator` has more turns, goals and means.

use cpymem_allocator::patterns::{PATTERNS, Players, Scale};

use crate::allocators::{Entrant, Role as Part, Roster};
use crate::bench::record::{Role, SubjectRecord};
use crate::bench::{Failure, Finding, Lane, Page, Setting, Turn, Workload, alternate};
use crate::record::Check;

/// Every pattern of `cpymem_allocator::patterns` on every allocator that can play it.
#[derive(Clone, Copy, Debug)]
pub struct AllocatorSuite {
    /// How much of each pattern is done at scale 1, where 1 is what `bench allocator` does.
    pub part: f64,
}

impl AllocatorSuite {
    /// What `cpymem bench` runs.
    pub const STANDARD: AllocatorSuite = AllocatorSuite { part: 0.05 };
}

impl Workload for AllocatorSuite {
    fn page(&self) -> Page {
        Page {
            name: "allocator-patterns",
            shows: "the patterns of allocator benchmarks, one thread and two, on every allocator here; no block loses \
                    its content",
            stands_for: "choosing an allocator; `cpymem bench allocator` is the long form",
            costs: "2 s a turn and 300 MiB",
        }
    }

    fn run(&self, setting: &Setting<'_>) -> Result<Finding, Failure> {
        let roster = Roster::new(None).map_err(Failure::Plan)?;
        let scale = Scale::new(self.part * setting.scale);
        let entrants = roster.entrants();
        let lanes = entrants.iter().map(|entrant| {
            let role = match entrant.role {
                Part::Ours | Part::Beside => Role::Ours,
                Part::Rival | Part::Baseline => Role::Peer,
            };
            Lane::new(entrant.name, role, move |turn| play(entrant, scale, turn))
        });
        let lanes = lanes.collect();
        let mut checks = Vec::new();
        let subjects = alternate(lanes, setting, &mut checks)?;
        checks.extend(claims(&subjects));
        let amount = format!("{} patterns at {} of their length", PATTERNS.len(), self.part * setting.scale);
        Ok(Finding { amount, subjects, checks, notes: Vec::new() })
    }
}

fn claims(subjects: &[SubjectRecord]) -> Vec<Check> {
    let claim = |subject: &SubjectRecord| {
        let lost = subject.count("blocks that lost their content").unwrap_or(u64::MAX);
        Check::equal(format!("{}: blocks that lost their content", subject.name), 0, lost)
    };
    subjects.iter().map(claim).collect()
}

fn play(entrant: &Entrant<'_>, scale: Scale, turn: &mut Turn) {
    let (mut clobbered, mut operations) = (0, 0);
    for pattern in PATTERNS {
        let Some(subject) = entrant.subject_for(pattern) else {
            continue;
        };
        if pattern.fills {
            // What was given back while others ran is not what the pattern is about.
            pattern.run(&subject, scale);
        }
        let outcome = pattern.run(&subject, scale);
        turn.ns(pattern.name, outcome.ns());
        clobbered += outcome.clobbered;
        // Threads that meet each other do as much as they come to.
        if pattern.threads() == 1 || pattern.players == Players::Releasing {
            operations += outcome.operations;
        }
    }
    turn.count("operations of one thread", operations);
    turn.count("blocks that lost their content", clobbered);
}

#[cfg(test)]
mod tests {
    use super::super::tests::broken_by;
    use super::*;
    use crate::progress::Progress;

    #[test]
    fn every_allocator_plays() {
        let progress = Progress::silent();
        let setting = Setting { seed: 1, scale: 0.02, turns: 1, pythons: &[], progress: &progress };
        let finding = AllocatorSuite::STANDARD.run(&setting).unwrap();
        assert!(finding.checks.iter().all(|check| check.holds), "{:?}", finding.checks);
        assert!(finding.subjects.len() >= 4);
        assert!(finding.subjects[0].times.len() >= 20, "{:?}", finding.subjects[0].times.len());
    }
    #[test]
    fn one_lost_block_breaks_the_claim() {
        broken_by("blocks that lost their content", claims);
    }
}
