//! An exception that is kept in a local of the frame that raised it.

use std::cell::RefCell;
use std::rc;

use cpymem_cyclegc::{Collector, Gc, Trace};
use serde::Serialize;

use crate::bench::record::{Role, SubjectRecord};
use crate::bench::{Failure, Finding, Lane, Page, Setting, Turn, Workload, alternate};
use crate::record::Check;
use crate::units;

/// Raises and handles errors in frames that own something large.
#[derive(Clone, Copy, Debug)]
pub struct TracebackCycles {
    /// Errors of each kind at scale 1.
    pub errors: usize,
    /// Whether the handler keeps the error where it is said to.
    pub keeps: bool,
}

impl TracebackCycles {
    /// What `cpymem bench` runs.
    pub const STANDARD: TracebackCycles = TracebackCycles { errors: 10_000, keeps: true };
}

const SCRIPT: &str = include_str!("../scripts/traceback_cycles.py");
/// A response, a result set, a frame of an image: what such frames are found to hold.
const PAYLOAD_BYTES: usize = 4096;
/// A frame, an error and a traceback.
const IN_A_CYCLE: u64 = 3;

impl Workload for TracebackCycles {
    fn page(&self) -> Page {
        Page {
            name: "traceback-cycles",
            shows: "an error kept in a local of its own frame keeps the frame, and all that it owns, until a collection; \
                    one that is cleared on the way out keeps nothing",
            stands_for: "workers that grow with every failed task: exceptions stored for a report, their frames with \
                         them",
            costs: "10 ms a turn and 100 MiB; with CPython 50 ms",
        }
    }

    fn run(&self, setting: &Setting<'_>) -> Result<Finding, Failure> {
        #[derive(Serialize)]
        struct Amount {
            errors: usize,
            payload_bytes: usize,
        }
        let amount = Amount { errors: setting.amount(self.errors, 1_000), payload_bytes: PAYLOAD_BYTES };
        let errors = amount.errors;
        let mut lanes = vec![
            Lane::new("cpymem", Role::Ours, |turn| ours(errors, self.keeps, turn)),
            Lane::new("std", Role::Peer, |turn| std_frames(errors, turn)),
        ];
        for python in setting.pythons {
            lanes.push(python.lane(SCRIPT, &amount)?);
        }
        let mut checks = Vec::new();
        let subjects = alternate(lanes, setting, &mut checks)?;
        for subject in &subjects {
            let python = setting.pythons.iter().find(|python| python.name() == subject.name);
            claim(subject, python.map(|python| python.version()), errors as u64, &mut checks);
        }
        Ok(Finding {
            amount: format!(
                "{} errors, in frames that own {} each",
                units::count(errors as u64),
                units::bytes(PAYLOAD_BYTES as u64)
            ),
            subjects,
            checks,
            notes: vec!["std: nothing collects there; what is left is taken apart by hand".to_owned()],
        })
    }
}

/// Objects in the cycle of an error, as `gc.collect()` counts them: the frame, the exception, its traceback, its
/// arguments and the payload. In 2.7 an exception has no traceback; what makes the cycle there is the
/// triple of `sys.exc_info()`.
fn in_a_cycle_of_cpython(version: (u8, u8)) -> u64 {
    if version < (3, 0) { 6 } else { 5 }
}

fn claim(subject: &SubjectRecord, python: Option<(u8, u8)>, errors: u64, checks: &mut Vec<Check>) {
    let name = &subject.name;
    let each = python.map_or(IN_A_CYCLE, in_a_cycle_of_cpython);
    // Nothing but a collection frees them, and std has none.
    let left = if subject.role == Role::Peer { errors } else { 0 };
    let mut equal = |what: &str, expected: u64| {
        let seen = subject.count(what);
        checks.extend(seen.map(|seen| Check::equal(format!("{name}: {what}"), expected, seen)));
    };
    equal("payloads alive, kept", errors);
    equal("found, kept", each * errors);
    equal("payloads alive after the collection, kept", left);
    equal("payloads alive, cleared", 0);
    equal("found, cleared", 0);
    if subject.role != Role::Peer {
        let most = subject.series("most payloads alive, collector on");
        let most = most.map_or(f64::NAN, |series| series.estimate.median);
        let claim = format!("{name}: payloads that a collector with its own thresholds lets pile up, of all");
        checks.push(Check::at_most(claim, 0.9, most / errors as f64));
    }
}

/// What a frame owns. It refers to nothing, so a collection does not look at it.
#[derive(Trace)]
struct Payload(#[allow(dead_code, reason = "is there to be kept")] Box<[u8]>);

#[derive(Trace)]
struct Frame {
    error: RefCell<Option<Gc<Error>>>,
    payload: Gc<Payload>,
}

#[derive(Trace)]
struct Error {
    traceback: RefCell<Option<Gc<Traceback>>>,
}

#[derive(Trace)]
struct Traceback {
    frame: Gc<Frame>,
}

/// A call whose frame owns a payload, raises, handles and returns.
fn call(collector: &Collector, keeps: bool) {
    let payload = collector.alloc(Payload(vec![1; PAYLOAD_BYTES].into()));
    let frame = collector.alloc(Frame { error: RefCell::new(None), payload });
    let error = collector.alloc(Error { traceback: RefCell::new(None) });
    *error.traceback.borrow_mut() = Some(collector.alloc(Traceback { frame: frame.clone() }));
    *frame.error.borrow_mut() = Some(error);
    if !keeps {
        // `error = None` on the way out.
        frame.error.take();
    }
    debug_assert_eq!(frame.payload.0.len(), PAYLOAD_BYTES);
}

fn ours(errors: usize, keeps: bool, turn: &mut Turn) {
    for (name, keeps) in [("kept", keeps), ("cleared", false)] {
        let collector = Collector::new();
        collector.disable();
        turn.time(&format!("raise and handle, {name}"), errors, || {
            (0..errors).for_each(|_| call(&collector, keeps));
        });
        // Three of the four objects of each error are tracked; the fourth is the payload.
        let payloads = |collector: &Collector| collector.objects() - collector.get_objects(None).len();
        turn.count(&format!("payloads alive, {name}"), payloads(&collector) as u64);
        let found = turn.time(&format!("collect, {name}"), errors, || collector.collect());
        turn.count(&format!("found, {name}"), found as u64);
        turn.count(&format!("payloads alive after the collection, {name}"), payloads(&collector) as u64);
    }
    let collector = Collector::new();
    let mut most = 0;
    for _ in 0..errors {
        call(&collector, keeps);
        most = most.max(collector.objects());
    }
    turn.gauge("most payloads alive, collector on", (most / 4) as f64);
}

struct StdFrame {
    error: RefCell<Option<rc::Rc<StdError>>>,
    payload: Box<[u8]>,
}

struct StdError {
    traceback: RefCell<Option<rc::Rc<StdTraceback>>>,
}

struct StdTraceback {
    frame: rc::Rc<StdFrame>,
}

fn std_call(keeps: bool) -> rc::Weak<StdFrame> {
    let payload = vec![1; PAYLOAD_BYTES].into();
    let frame = rc::Rc::new(StdFrame { error: RefCell::new(None), payload });
    let error = rc::Rc::new(StdError { traceback: RefCell::new(None) });
    *error.traceback.borrow_mut() = Some(rc::Rc::new(StdTraceback { frame: frame.clone() }));
    *frame.error.borrow_mut() = Some(error);
    if !keeps {
        frame.error.take();
    }
    rc::Rc::downgrade(&frame)
}

fn std_frames(errors: usize, turn: &mut Turn) {
    for (name, keeps) in [("kept", true), ("cleared", false)] {
        let frames: Vec<rc::Weak<StdFrame>> = turn.time(&format!("raise and handle, {name}"), errors, || {
            (0..errors).map(|_| std_call(keeps)).collect()
        });
        let alive = || frames.iter().filter_map(rc::Weak::upgrade);
        turn.count(&format!("payloads alive, {name}"), alive().count() as u64);
        // Nothing happens between the two, and that is what is shown.
        turn.count(&format!("payloads alive after the collection, {name}"), alive().count() as u64);
        for frame in alive() {
            let error = frame.error.take();
            let traceback = error.and_then(|error| error.traceback.take());
            debug_assert!(
                traceback.is_some_and(|traceback| traceback.frame.payload.len() == frame.payload.len())
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{broken, holds};
    use super::*;

    #[test]
    fn an_error_that_is_not_kept_keeps_nothing() {
        let small = TracebackCycles { errors: 20_000, ..TracebackCycles::STANDARD };
        assert_eq!(holds(&small), Vec::<String>::new());
        let claims = broken(&TracebackCycles { keeps: false, ..small });
        assert_eq!(
            claims,
            [
                "cpymem: payloads alive, kept",
                "cpymem: found, kept",
                "cpymem: payloads alive after the collection, kept"
            ][..2]
        );
    }
}
