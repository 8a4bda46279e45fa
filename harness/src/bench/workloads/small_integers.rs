//! Values that exist once however often they are made.

use std::collections::HashSet;
use std::hint::black_box;
use std::rc;

use cpymem_refcount::rc::Rc;
use serde::Serialize;

use crate::bench::python::Interpreter;
use crate::bench::record::{Role, SubjectRecord};
use crate::bench::{Failure, Finding, Lane, Page, Random, Setting, Turn, Workload, alternate};
use crate::record::Check;
use crate::units;

/// Makes integers, most of them small, and asks CPython which of them are one object.
#[derive(Clone, Copy, Debug)]
pub struct SmallIntegers {
    /// Integers made at scale 1.
    pub integers: usize,
    /// How many of 100 are small.
    pub small_in_100: usize,
    /// Whether small ones are taken from the table when they are said to be.
    pub shares: bool,
}

impl SmallIntegers {
    /// What `cpymem bench` runs.
    pub const STANDARD: SmallIntegers = SmallIntegers { integers: 300_000, small_in_100: 90, shares: true };
}

const SCRIPT: &str = include_str!("../scripts/small_integers.py");
/// The integers that CPython keeps (`_PY_NSMALLNEGINTS`, `_PY_NSMALLPOSINTS`).
const SMALL: std::ops::RangeInclusive<i64> = -5..=256;
const SMALL_COUNT: usize = 262;
/// The newest version that was asked what it shares.
const NEWEST: (u8, u8) = (3, 13);

#[derive(Clone, Copy, Serialize)]
struct Amount {
    seed: u64,
    integers: usize,
    small_in_100: usize,
}

impl Amount {
    fn draw(self) -> Vec<i64> {
        let mut random = Random::new(self.seed);
        let mut integer = || match random.below(100) < self.small_in_100 {
            true => random.below(SMALL_COUNT) as i64 + SMALL.start(),
            false => random.below(1_000_000) as i64 + SMALL.end() + 1,
        };
        (0..self.integers).map(|_| integer()).collect()
    }
}

impl Workload for SmallIntegers {
    fn page(&self) -> Page {
        Page {
            name: "small-integers",
            shows: "integers from -5 to 256, single characters and identifiers exist once, so that of integers as programs count \
                    them nine in ten cost no memory",
            stands_for: "why `is` works for 256 and not for 257; what a runtime of its own gains by the same table",
            costs: "20 ms a turn and 30 MiB; with CPython 0.3 s and 50 MiB",
        }
    }

    fn run(&self, setting: &Setting<'_>) -> Result<Finding, Failure> {
        let amount = Amount {
            seed: setting.seed,
            integers: setting.amount(self.integers, 20_000),
            small_in_100: self.small_in_100,
        };
        let drawn = amount.draw();
        let table: Vec<Rc<i64>> = SMALL.map(Rc::new).collect();
        table.iter().for_each(Rc::immortalize);
        let std_table: Vec<rc::Rc<i64>> = SMALL.map(rc::Rc::new).collect();
        let mut lanes = vec![
            Lane::new("cpymem, shared", Role::Ours, |turn| {
                make(&drawn, |integer| self.take(&table, integer), |object| &raw const **object, turn);
                let immortal = table.iter().filter(|object| Rc::strong_count(object) == u32::MAX as usize);
                turn.count("small integers that are immortal", immortal.count() as u64);
            }),
            Lane::new("cpymem", Role::Ours, |turn| {
                make(&drawn, Rc::new, |object| &raw const **object, turn);
            }),
            Lane::new("std, shared", Role::Peer, |turn| {
                make(&drawn, |integer| self.take(&std_table, integer), |object| &raw const **object, turn);
            }),
            Lane::new("std", Role::Peer, |turn| {
                make(&drawn, rc::Rc::new, |object| &raw const **object, turn);
            }),
        ];
        for python in setting.pythons {
            lanes.push(python.lane(SCRIPT, &amount)?);
        }
        let mut checks = Vec::new();
        let subjects = alternate(lanes, setting, &mut checks)?;
        for subject in &subjects {
            let python = setting.pythons.iter().find(|python| python.name() == subject.name);
            claim(subject, python, &drawn, &mut checks);
        }
        let mut notes = Vec::new();
        for python in setting.pythons.iter().filter(|python| python.version() > NEWEST) {
            notes.push(format!(
                "{} is newer than what is known here; nothing is claimed of it",
                python.name()
            ));
        }
        let integers = units::count(amount.integers as u64);
        let amount = format!("{integers} integers, {} in 100 of them from -5 to 256", self.small_in_100);
        Ok(Finding { amount, subjects, checks, notes })
    }
}

/// A kind of pointer that a table can share.
trait Shared: Clone + From<i64> {}
impl Shared for Rc<i64> {}
impl Shared for rc::Rc<i64> {}

impl SmallIntegers {
    /// The table's object, if it has the integer.
    #[inline]
    fn take<P: Shared>(&self, table: &[P], integer: i64) -> P {
        match table.get(integer.wrapping_sub(*SMALL.start()) as usize) {
            Some(object) if self.shares => object.clone(),
            _ => P::from(integer),
        }
    }
}

/// Makes an object of each integer, and counts how many objects that are.
fn make<P>(drawn: &[i64], make: impl Fn(i64) -> P, address: impl Fn(&P) -> *const i64, turn: &mut Turn) {
    let mut made = Vec::with_capacity(drawn.len());
    turn.time("make", drawn.len(), || made.extend(drawn.iter().map(|&integer| make(integer))));
    let objects: HashSet<*const i64> = made.iter().map(address).collect();
    turn.count("objects for the integers drawn", objects.len() as u64);
    turn.time("drop", drawn.len(), || drop(black_box(made)));
}

fn claim(subject: &SubjectRecord, python: Option<&Interpreter>, drawn: &[i64], checks: &mut Vec<Check>) {
    let name = &subject.name;
    if python.is_some_and(|python| python.version() > NEWEST) {
        return;
    }
    let large = drawn.iter().filter(|integer| !SMALL.contains(integer)).count() as u64;
    let small: HashSet<&i64> = drawn.iter().filter(|integer| SMALL.contains(integer)).collect();
    let shares = python.is_some() || name.ends_with("shared");
    let mut equal = |what: &str, expected: u64| {
        let seen = subject.count(what);
        checks.extend(seen.map(|seen| Check::equal(format!("{name}: {what}"), expected, seen)));
    };
    let objects = if shares { large + small.len() as u64 } else { drawn.len() as u64 };
    equal("objects for the integers drawn", objects);
    // PEP 683, in CPython from 3.12 on.
    let immortal = python.is_none_or(|python| python.version() >= (3, 12));
    equal("small integers that are immortal", if immortal { SMALL_COUNT as u64 } else { 0 });
    let Some(python) = python else { return };
    equal("integers below 0 that are shared", 5);
    equal("largest integer that is shared", 256);
    equal("integers that are shared", SMALL_COUNT as u64);
    equal("characters that are shared", 256);
    equal("identifiers made at run time that are shared", 0);
    equal("interned identifiers that are shared", 1);
    equal("constants like identifiers that are shared", 1);
    // Builds without the global lock intern every string constant.
    equal("other constants that are shared", u64::from(python.free_threaded()));
}

#[cfg(test)]
mod tests {
    use super::super::tests::{broken, holds};
    use super::*;

    #[test]
    fn integers_that_are_not_shared_are_objects_of_their_own() {
        assert_eq!(holds(&SmallIntegers::STANDARD), Vec::<String>::new());
        let claims = broken(&SmallIntegers { shares: false, ..SmallIntegers::STANDARD });
        let objects = |name: &str| format!("{name}: objects for the integers drawn");
        assert_eq!(claims, [objects("cpymem, shared"), objects("std, shared")]);
    }
}
