//! What an instance costs, by the model and in each CPython; and the same layouts of these crates.

use cpymem_allocator::Heap;
use cpymem_slots::model::{ClassLayout, Footprint};
use cpymem_slots::object::{Dict, Shapes, SharedKeys, Slots};
use serde::Serialize;

use crate::bench::python::Interpreter;
use crate::bench::record::{Role, SubjectRecord};
use crate::bench::{Failure, Finding, Lane, Page, Setting, Turn, Workload, alternate};
use crate::record::Check;
use crate::units;

/// Makes instances of classes with and without slots.
#[derive(Clone, Copy, Debug)]
pub struct ClassLayouts {
    /// Instances of each class at scale 1.
    pub instances: usize,
    /// What the model is told that there are more of than there are: 0.
    pub attributes_unknown_to_the_model: usize,
}

impl ClassLayouts {
    /// What `cpymem bench` runs.
    pub const STANDARD: ClassLayouts =
        ClassLayouts { instances: 100_000, attributes_unknown_to_the_model: 0 };
}

const SCRIPT: &str = include_str!("../scripts/class_layouts.py");
/// Attributes of the classes: a few, and around the number from which CPython 3.11 on no longer keeps values inside.
const ATTRIBUTES: [usize; 5] = [3, 6, 29, 30, 31];

/// Instances before the first that is counted.
const WARM: usize = 60;

#[derive(Clone, Copy, Serialize)]
struct Amount {
    instances: usize,
    attributes: [usize; 5],
}

impl Workload for ClassLayouts {
    fn page(&self) -> Page {
        Page {
            name: "class-layouts",
            shows: "what __slots__ saves differs by version: 58 % for six attributes in 3.8, 37.5 % in 3.12; at the \
                    30th attribute an instance with a __dict__ jumps",
            stands_for: "pull requests that add __slots__ and promise \"drastically less memory\"",
            costs: "0.1 s a turn and 20 MiB; with CPython 0.5 s and 60 MiB",
        }
    }

    fn run(&self, setting: &Setting<'_>) -> Result<Finding, Failure> {
        let amount = Amount { instances: setting.amount(self.instances, 2_000), attributes: ATTRIBUTES };
        let mut lanes = vec![Lane::new("cpymem", Role::Ours, move |turn| ours(amount, turn))];
        // A tenth for CPython, which counts each of its blocks.
        let fewer = Amount { instances: (amount.instances / 10).max(2_000), ..amount };
        for python in setting.pythons {
            lanes.push(python.lane(SCRIPT, &fewer)?);
        }
        let mut checks = Vec::new();
        let subjects = alternate(lanes, setting, &mut checks)?;
        let mut notes = Vec::new();
        let extra = self.attributes_unknown_to_the_model;
        for count in ATTRIBUTES {
            // A header and a word for each attribute; bits for those from the 17th on that say which are set.
            let bits = if count > 16 { (count - 16).div_ceil(8) } else { 0 };
            let expected = (8 + 8 * (count + extra) + bits) as u64;
            let seen = subjects
                .first()
                .and_then(|ours| ours.count(&format!("slots of {count}, bytes")))
                .unwrap_or(0);
            checks.push(Check::at_most(
                format!("cpymem: slots of {count}, bytes"),
                (expected.next_multiple_of(8)) as f64,
                seen as f64,
            ));
            checks.push(Check::at_least(
                format!("cpymem: slots of {count}, bytes"),
                expected as f64,
                seen as f64,
            ));
        }
        for (python, subject) in
            setting.pythons.iter().zip(subjects.iter().filter(|it| it.role == Role::Python))
        {
            match model(python, extra) {
                Some(model) => model.check(subject, &mut checks),
                None => notes.push(format!("{} is not modelled", python.name())),
            }
        }
        let instances = units::count(amount.instances as u64);
        let amount = format!("{instances} instances of classes of {ATTRIBUTES:?} attributes, values shared");
        Ok(Finding { amount, subjects, checks, notes })
    }
}

/// What the model says of each class of one interpreter.
struct Model {
    python: String,
    /// Whether the interpreter can be asked for the bytes of its requests.
    traced: bool,
    /// Attributes, then the footprints with a dict and with slots.
    rows: Vec<(usize, Footprint, Footprint)>,
}

fn model(python: &Interpreter, extra: usize) -> Option<Model> {
    let object = ClassLayout::object(python.target()?).ok()?;
    let rows = ATTRIBUTES.iter().map(|&count| {
        let names: Vec<String> = (0..count + extra).map(|index| format!("a{index}")).collect();
        let with_dict = ClassLayout::new("C", &[&object]).ok()?.steady(&names).ok()?;
        let with_slots = ClassLayout::with_slots("S", &[&object], &names).ok()?.steady(&names).ok()?;
        Some((count, with_dict, with_slots))
    });
    Some(Model {
        python: python.name(),
        traced: python.version() >= (3, 4),
        rows: rows.collect::<Option<_>>()?,
    })
}

impl Model {
    /// Bytes as the interpreter can tell them: of all requests, or by `sys.getsizeof`.
    fn bytes(&self, footprint: &Footprint) -> u64 {
        if self.traced {
            footprint.requested_bytes()
        } else {
            footprint.getsizeof() + footprint.getsizeof_dict().unwrap_or(0)
        }
    }

    fn check(&self, subject: &SubjectRecord, checks: &mut Vec<Check>) {
        for (count, with_dict, with_slots) in &self.rows {
            for (kind, footprint) in [("dict", with_dict), ("slots", with_slots)] {
                let what = format!("{kind} of {count}, bytes");
                let seen = subject.count(&what).unwrap_or(0);
                checks.push(Check::equal(format!("{}: {what}", self.python), self.bytes(footprint), seen));
            }
        }
    }
}

/// The layouts of `cpymem-slots` on a heap, whose books say what they cost.
fn ours(amount: Amount, turn: &mut Turn) {
    for count in amount.attributes {
        let heap = Heap::new();
        let mut shapes = Shapes::new();
        let names: Vec<_> = (0..count).map(|index| shapes.intern(&format!("a{index}"))).collect();
        let Ok(class) = shapes.class(&names) else {
            continue;
        };
        let make = || Slots::<u64, &Heap>::with_values_in(class, 0..count as u64, &heap);
        let with_slots: Vec<_> = turn.time(&format!("slots of {count}"), amount.instances, || {
            (0..amount.instances).map(|_| make()).collect()
        });
        turn.count(
            &format!("slots of {count}, bytes"),
            with_slots.first().map_or(0, |it: &Slots<u64, &Heap>| it.footprint().bytes as u64),
        );
        drop(with_slots);
        let mut keys = SharedKeys::new();
        let mut make = || {
            let mut object = Dict::<u64, &Heap>::new_in(&mut keys, &heap);
            for (value, &name) in names.iter().enumerate() {
                // The keys are those of the object's class.
                let _ = object.set(name, value as u64, &mut keys);
            }
            object
        };
        // The keys of a class learn from its first instances.
        (0..WARM).for_each(|_| drop(make()));
        let with_dict: Vec<_> = turn.time(&format!("dict of {count}"), amount.instances, || {
            (0..amount.instances).map(|_| make()).collect()
        });
        turn.count(
            &format!("dict of {count}, bytes"),
            with_dict.first().map_or(0, |it: &Dict<u64, &Heap>| it.footprint().bytes as u64),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{broken, holds};
    use super::*;

    #[test]
    fn a_model_of_another_class_is_found_out() {
        assert_eq!(holds(&ClassLayouts::STANDARD), Vec::<String>::new());
        let wrong = ClassLayouts { attributes_unknown_to_the_model: 1, ..ClassLayouts::STANDARD };
        assert_eq!(broken(&wrong).len(), ATTRIBUTES.len());
    }
}
