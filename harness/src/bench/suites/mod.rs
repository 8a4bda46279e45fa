//! The crates' own patterns as comparisons: short ones among the workloads, whole ones as `cpymem bench CRATE`.

mod allocator;
mod cyclegc;
mod refcount;
mod slots;

pub use allocator::AllocatorSuite;
pub use cyclegc::{CyclegcSuite, cyclegc_patterns};
pub use refcount::{RefcountSuite, refcount_patterns};
pub use slots::{SlotsSuite, slots_patterns};

#[cfg(test)]
mod tests {
    use crate::bench::record::{Count, Role, SubjectRecord};
    use crate::record::Check;

    /// One more in this count breaks a claim that held.
    pub(super) fn broken_by(what: &str, claims: fn(&[SubjectRecord]) -> Vec<Check>) {
        const COUNTS: [(&str, u64); 5] = [
            ("wrong answers", 0),
            ("faults", 0),
            ("blocks that lost their content", 0),
            ("objects made", 5),
            ("objects that died", 5),
        ];
        let subject = |more: u64| SubjectRecord {
            name: "subject".to_owned(),
            role: Role::Ours,
            times: Vec::new(),
            counts: COUNTS
                .iter()
                .map(|&(name, value)| Count {
                    name: name.to_owned(),
                    value: value + if name == what { more } else { 0 },
                })
                .collect(),
            gauges: Vec::new(),
            held: Vec::new(),
        };
        let hold = |more| claims(&[subject(more)]).iter().all(|check| check.holds);
        assert!(hold(0) && !hold(1), "{what}");
    }
}
