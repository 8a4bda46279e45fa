//! Values that exist once however often they are made.

use std::cell::RefCell;
use std::collections::HashSet;
use std::hint::black_box;
use std::ops::Deref;
use std::rc;

use cpymem_refcount::intern::{CPYTHON as SMALL, Immortal, Interner, LocalHits, SmallInts, Strong};
use cpymem_refcount::rc::Rc;
use serde::Serialize;

use crate::bench::python::Interpreter;
use crate::bench::record::{Role, SubjectRecord};
use crate::bench::{Failure, Finding, Lane, Page, Random, Setting, Turn, Workload, alternate};
use crate::record::Check;
use crate::units;

/// Makes integers, most of them small, and identifiers, and asks CPython which of them are one object.
#[derive(Clone, Copy, Debug)]
pub struct SmallIntegers {
    /// Integers made at scale 1, and as many identifiers.
    pub integers: usize,
    /// How many of 100 are small.
    pub small_in_100: usize,
    /// Whether values are taken from a table when they are said to be.
    pub shares: bool,
}

impl SmallIntegers {
    /// What `cpymem bench` runs.
    pub const STANDARD: SmallIntegers = SmallIntegers { integers: 300_000, small_in_100: 90, shares: true };
}

const SCRIPT: &str = include_str!("../scripts/small_integers.py");
const SMALL_COUNT: usize = (*SMALL.end() - *SMALL.start() + 1) as usize;
/// Identifiers that there are.
const VOCABULARY: usize = 5_000;
/// The newest version that was asked what it shares.
const NEWEST: (u8, u8) = (3, 13);

#[derive(Clone, Copy, Serialize)]
struct Amount {
    seed: u64,
    integers: usize,
    small_in_100: usize,
    vocabulary: usize,
}

/// What objects are made of.
struct Drawn {
    integers: Vec<i64>,
    /// As programs use names: some often, most rarely.
    identifiers: Vec<String>,
}

impl Amount {
    fn draw(self) -> Drawn {
        let mut random = Random::new(self.seed);
        let mut integer = || match random.below(100) < self.small_in_100 {
            true => random.below(SMALL_COUNT) as i64 + SMALL.start(),
            false => random.below(1_000_000) as i64 + SMALL.end() + 1,
        };
        let integers = (0..self.integers).map(|_| integer()).collect();
        let mut identifier = || {
            let most = random.below(self.vocabulary) + 1;
            format!("identifier_{}", random.below(most))
        };
        let identifiers = (0..self.integers).map(|_| identifier()).collect();
        Drawn { integers, identifiers }
    }
}

impl Workload for SmallIntegers {
    fn page(&self) -> Page {
        Page {
            name: "small-integers",
            shows: "integers from -5 to 256, single characters and identifiers exist once, so that nine in ten integers of a \
                    program that counts little cost no memory",
            stands_for: "why `is` works for 256 and not for 257; what a runtime of its own gains by the same table",
            costs: "20 ms a turn and 30 MiB; with CPython 0.3 s and 50 MiB",
        }
    }

    fn run(&self, setting: &Setting<'_>) -> Result<Finding, Failure> {
        let amount = Amount {
            seed: setting.seed,
            integers: setting.amount(self.integers, 20_000),
            small_in_100: self.small_in_100,
            vocabulary: VOCABULARY,
        };
        let drawn = amount.draw();
        let shares = self.shares;
        let counted: SmallInts<Rc<i64>> = SmallInts::new(SMALL);
        let immortal: SmallInts<Rc<i64>, LocalHits> = SmallInts::new_immortal(SMALL);
        let names: RefCell<Interner<Rc<str>, Strong>> = RefCell::default();
        let immortal_names: RefCell<Interner<Rc<str>, Immortal>> = RefCell::default();
        let std_ints: Vec<rc::Rc<i64>> = SMALL.map(rc::Rc::new).collect();
        let std_names: RefCell<HashSet<rc::Rc<str>>> = RefCell::default();
        let mut lanes = vec![
            Lane::new("cpymem, shared", Role::Ours, |turn| {
                let integer = |value| if shares { counted.get(value) } else { Rc::new(value) };
                let name = |text: &str| if shares { names.borrow_mut().intern(text) } else { Rc::from(text) };
                make(&drawn, integer, name, turn);
            }),
            Lane::new("cpymem, immortal", Role::Ours, |turn| {
                make(
                    &drawn,
                    |value| immortal.get(value),
                    |text| immortal_names.borrow_mut().intern(text),
                    turn,
                );
                let is_immortal = |&value: &i64| Rc::is_immortal(&immortal.get(value));
                turn.count("small integers that are immortal", SMALL.filter(is_immortal).count() as u64);
            }),
            Lane::new("cpymem", Role::Ours, |turn| make(&drawn, Rc::new, |text| Rc::from(text), turn)),
            Lane::new("std, shared", Role::Peer, |turn| {
                let integer = |value: i64| match std_ints.get(value.wrapping_sub(*SMALL.start()) as usize) {
                    Some(object) if shares => object.clone(),
                    _ => rc::Rc::new(value),
                };
                let name =
                    |text: &str| if shares { std_intern(&std_names, text) } else { rc::Rc::from(text) };
                make(&drawn, integer, name, turn);
            }),
            Lane::new("std", Role::Peer, |turn| make(&drawn, rc::Rc::new, |text| rc::Rc::from(text), turn)),
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
        let amount = format!(
            "{integers} integers, {} in 100 of them from -5 to 256, and as many identifiers",
            self.small_in_100
        );
        Ok(Finding { amount, subjects, checks, notes })
    }
}

/// What a program without an interner of its own would write.
fn std_intern(names: &RefCell<HashSet<rc::Rc<str>>>, text: &str) -> rc::Rc<str> {
    let mut names = names.borrow_mut();
    match names.get(text) {
        Some(known) => known.clone(),
        None => {
            let new: rc::Rc<str> = text.into();
            names.insert(new.clone());
            new
        }
    }
}

/// Makes an object of each value, and counts how many objects that are.
fn make<I: Deref<Target = i64>, S: Deref<Target = str>>(
    drawn: &Drawn,
    integer: impl Fn(i64) -> I,
    name: impl Fn(&str) -> S,
    turn: &mut Turn,
) {
    let count = drawn.integers.len();
    let mut integers = Vec::with_capacity(count);
    turn.time("make an integer", count, || {
        integers.extend(drawn.integers.iter().map(|&value| integer(value)))
    });
    let mut names = Vec::with_capacity(count);
    turn.time("make an identifier", count, || names.extend(drawn.identifiers.iter().map(|text| name(text))));
    let objects: HashSet<*const i64> = integers.iter().map(|object| &raw const **object).collect();
    turn.count("objects for the integers drawn", objects.len() as u64);
    let objects: HashSet<*const u8> = names.iter().map(|object| object.as_ptr()).collect();
    turn.count("objects for the identifiers drawn", objects.len() as u64);
    turn.time("drop an integer", count, || drop(black_box(integers)));
    turn.time("drop an identifier", count, || drop(black_box(names)));
}

fn claim(subject: &SubjectRecord, python: Option<&Interpreter>, drawn: &Drawn, checks: &mut Vec<Check>) {
    let name = &subject.name;
    if python.is_some_and(|python| python.version() > NEWEST) {
        return;
    }
    let large = drawn.integers.iter().filter(|integer| !SMALL.contains(integer)).count() as u64;
    let small: HashSet<&i64> = drawn.integers.iter().filter(|integer| SMALL.contains(integer)).collect();
    let shares = python.is_some() || name.contains(", ");
    let mut equal = |what: &str, expected: u64| {
        let seen = subject.count(what);
        checks.extend(seen.map(|seen| Check::equal(format!("{name}: {what}"), expected, seen)));
    };
    let objects = if shares { large + small.len() as u64 } else { drawn.integers.len() as u64 };
    equal("objects for the integers drawn", objects);
    let different: HashSet<&String> = drawn.identifiers.iter().collect();
    let objects = if shares { different.len() } else { drawn.identifiers.len() };
    equal("objects for the identifiers drawn", objects as u64);
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
        let objects = |name: &str| {
            ["integers", "identifiers"].map(|what| format!("{name}: objects for the {what} drawn"))
        };
        assert_eq!(claims, [objects("cpymem, shared"), objects("std, shared")].concat());
    }
}
