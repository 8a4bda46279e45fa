//! Subjects in turn: each turn runs every lane once, beginning with another one each time, so that what the
//! machine does meanwhile meets all of them.

use std::hint::black_box;
use std::time::Instant;

use super::record::{Count, HeldPoint, Role, Series, SubjectRecord};
use super::{Failure, Setting};
use crate::record::Check;

/// A subject with what it does in a turn.
pub struct Lane<'a> {
    name: String,
    role: Role,
    turn: Box<Step<'a>>,
}

/// What a lane does in one turn.
type Step<'a> = dyn FnMut(&mut Turn) -> Result<(), Failure> + 'a;

impl<'a> Lane<'a> {
    /// A lane of our own code or of a peer, which does not fail.
    pub fn new(name: &str, role: Role, mut turn: impl FnMut(&mut Turn) + 'a) -> Lane<'a> {
        Lane::fallible(name, role, move |record| {
            turn(record);
            Ok(())
        })
    }

    /// A lane that may fail.
    pub fn fallible(
        name: &str,
        role: Role,
        turn: impl FnMut(&mut Turn) -> Result<(), Failure> + 'a,
    ) -> Lane<'a> {
        Lane { name: name.to_owned(), role, turn: Box::new(turn) }
    }
}

/// What a lane measures in one turn.
#[derive(Debug, Default)]
pub struct Turn {
    times: Vec<(String, f64)>,
    counts: Vec<Count>,
    gauges: Vec<(String, &'static str, f64)>,
    held: Vec<HeldPoint>,
}

impl Turn {
    /// Times `work`, which does `operations` of something; recorded are the nanoseconds of one.
    pub fn time<R>(&mut self, what: &str, operations: usize, work: impl FnOnce() -> R) -> R {
        let start = Instant::now();
        let result = black_box(work());
        self.ns(what, start.elapsed().as_nanos() as f64 / operations.max(1) as f64);
        result
    }

    /// Records nanoseconds that were measured elsewhere.
    pub fn ns(&mut self, what: &str, ns: f64) {
        self.times.push((what.to_owned(), ns));
    }

    /// Records a number that must be the same in every turn and every run with this seed and scale.
    pub fn count(&mut self, what: &str, value: u64) {
        self.counts.push(Count { name: what.to_owned(), value });
    }

    /// Records bytes, in which the machine has a part.
    pub fn bytes(&mut self, what: &str, bytes: u64) {
        self.gauges.push((what.to_owned(), "bytes", bytes as f64));
    }

    /// Records another number in which the machine has a part.
    pub fn gauge(&mut self, what: &str, value: f64) {
        self.gauges.push((what.to_owned(), "", value));
    }

    /// Records nanoseconds that are no time of an operation, such as the longest pause.
    pub fn pause(&mut self, what: &str, ns: f64) {
        self.gauges.push((what.to_owned(), "ns", ns));
    }

    /// Records what is live and held after something was done.
    pub fn held(&mut self, label: &str, live_bytes: u64, held_bytes: u64) {
        self.held.push(HeldPoint { label: label.to_owned(), live_bytes, held_bytes });
    }
}

/// Runs the lanes: a turn that warms up, then the timed ones. Adds a check for each lane that its counts were the
/// same in all of them.
///
/// # Errors
/// The first error of a lane.
pub fn alternate(
    mut lanes: Vec<Lane<'_>>,
    setting: &Setting<'_>,
    checks: &mut Vec<Check>,
) -> Result<Vec<SubjectRecord>, Failure> {
    let mut turns: Vec<Vec<Turn>> = lanes.iter().map(|_| Vec::new()).collect();
    for turn in 0..=setting.turns.max(1) {
        for step in 0..lanes.len() {
            let index = (turn + step) % lanes.len();
            let mut record = Turn::default();
            (lanes[index].turn)(&mut record)?;
            if turn > 0 {
                turns[index].push(record);
            }
        }
    }
    let subjects = lanes.iter().zip(turns).map(|(lane, turns)| subject(lane, turns, checks)).collect();
    Ok(subjects)
}

/// One lane's turns as a record.
fn subject(lane: &Lane<'_>, mut turns: Vec<Turn>, checks: &mut Vec<Check>) -> SubjectRecord {
    let last = turns.pop().unwrap_or_default();
    let unlike = turns.iter().filter(|turn| turn.counts != last.counts).count();
    if !last.counts.is_empty() {
        checks.push(Check::equal(format!("turns of {} with other counts", lane.name), 0, unlike as u64));
    }
    let with_last = || turns.iter().chain([&last]);
    let series = |name: &str, unit: &str, of: &dyn Fn(&Turn) -> Option<f64>| {
        Series::new(name, unit, with_last().filter_map(of).collect())
    };
    let times = last
        .times
        .iter()
        .enumerate()
        .filter_map(|(at, (name, _))| series(name, "ns", &|turn| turn.times.get(at).map(|(_, ns)| *ns)));
    let gauges = last.gauges.iter().enumerate().filter_map(|(at, (name, unit, _))| {
        series(name, unit, &|turn| turn.gauges.get(at).map(|(_, _, value)| *value))
    });
    SubjectRecord {
        name: lane.name.clone(),
        role: lane.role,
        times: times.collect(),
        gauges: gauges.collect(),
        counts: last.counts.clone(),
        held: last.held.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;
    use crate::progress::Progress;

    #[test]
    fn every_lane_begins_in_its_turn_and_the_warm_up_is_not_counted() {
        let progress = Progress::silent();
        let setting = Setting { seed: 1, scale: 1.0, turns: 4, pythons: &[], progress: &progress };
        let order = RefCell::new(String::new());
        let lane = |name: &'static str| {
            let order = &order;
            let mut number = 0.0;
            Lane::new(name, Role::Peer, move |turn: &mut Turn| {
                order.borrow_mut().push_str(name);
                turn.ns("step", number);
                turn.count("steps", 1);
                turn.bytes("held", 7);
                number += 1.0;
            })
        };
        let mut checks = Vec::new();
        let subjects = alternate(vec![lane("a"), lane("b")], &setting, &mut checks).unwrap();
        assert_eq!(*order.borrow(), "abbaabbaab");
        assert_eq!(subjects[0].series("step").unwrap().samples, [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(subjects[1].count("steps"), Some(1));
        assert_eq!(subjects[1].series("held").unwrap().estimate.median, 7.0);
        assert!(checks.len() == 2 && checks.iter().all(|check| check.holds));
    }

    #[test]
    fn a_count_that_changes_breaks_a_check_and_an_error_ends_the_run() {
        let progress = Progress::silent();
        let setting = Setting { seed: 1, scale: 1.0, turns: 2, pythons: &[], progress: &progress };
        let number = Cell::new(0);
        let unsteady = Lane::new("unsteady", Role::Ours, |turn| {
            number.set(number.get() + 1);
            turn.count("number", number.get());
        });
        let mut checks = Vec::new();
        alternate(vec![unsteady], &setting, &mut checks).unwrap();
        assert!(!checks[0].holds);
        let broken =
            Lane::fallible("broken", Role::Python, |_| Err(Failure::Plan("no interpreter".to_owned())));
        assert!(alternate(vec![broken], &setting, &mut checks).is_err());
    }
}
