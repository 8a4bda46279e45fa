//! Rows of the table of operations: what ordinary operations do to an object of three attributes.

use std::collections::BTreeMap;

use cpymem_slots::model::{Class, ClassLayout, Instance, InstanceError, Target};
use serde_json::Value;

use super::{Verdict, counts, text};

const ABC: [&str; 3] = ["a", "b", "c"];

/// The classes of the measurement, alive through all its cases: what one case does to a class stays done.
struct Classes {
    plain: Class,
    base: Class,
    cached: Class,
    busy: Class,
    sub: Class,
    loose: Class,
    late: Class,
    slots: Class,
    slots_weakref: Class,
    sometimes: Class,
    flip: Class,
    twice: Class,
}

impl Classes {
    /// `None` if the target is not known.
    fn new(target: Target) -> Option<Classes> {
        let object = ClassLayout::object(target).ok()?;
        let plain = ClassLayout::new("P", &[&object]).ok()?;
        let assigns = |names: &[&str]| Class::with_static_attributes(&plain, names);
        let base = assigns(&ABC);
        let slotted =
            |names: &[&str]| Some(Class::new(&ClassLayout::with_slots("S", &[&object], names).ok()?));
        let sub = ClassLayout::new("Sub", &[base.layout()]).ok()?;
        Some(Classes {
            sub: Class::with_static_attributes(&sub, &["d", "e"]),
            plain: assigns(&ABC),
            base,
            cached: assigns(&ABC),
            busy: assigns(&["a", "b", "c", "d", "e", "f", "g", "h"]),
            loose: assigns(&[]),
            late: assigns(&ABC),
            slots: slotted(&ABC)?,
            slots_weakref: slotted(&["a", "b", "c", "__weakref__"])?,
            sometimes: assigns(&ABC),
            flip: assigns(&ABC),
            twice: assigns(&ABC),
        })
    }
}

fn with<'c>(class: &'c Class, names: &[&str]) -> Result<Instance<'c>, InstanceError> {
    let mut it = class.instance();
    names.iter().try_for_each(|name| it.set(name)).map(|()| it)
}

/// The `i`-th object of a case; `None` if the case is not known.
fn live<'c>(
    case: &str,
    classes: &'c Classes,
    i: usize,
    source: &mut Instance<'c>,
) -> Result<Option<Instance<'c>>, InstanceError> {
    let plain = || with(&classes.plain, &ABC);
    let changed = |change: fn(&mut Instance<'c>) -> Result<(), InstanceError>| {
        let mut it = plain()?;
        change(&mut it).map(|()| it)
    };
    let it = match case {
        "plain" => plain()?,
        "vars(o)" => changed(Instance::touch_dict)?,
        "cached_property read" => {
            let mut it = with(&classes.cached, &ABC)?;
            it.set_item("p")?;
            it
        }
        "source of copy.copy" => {
            let mut it = plain()?;
            it.copy()?;
            it
        }
        "copy.copy result" => source.copy()?,
        "deepcopy result" => {
            let mut it = classes.plain.instance();
            it.update_dict(ABC)?;
            it
        }
        "pickle.loads result" => classes.plain.unpickled(&ABC)?,
        "slots pickle.loads result" => classes.slots.unpickled(&ABC)?,
        "slots" => with(&classes.slots, &ABC)?,
        "slots+weakref" => with(&classes.slots_weakref, &ABC)?,
        "5 attrs only in a method never called" => with(&classes.busy, &ABC)?,
        "subclass: 3 + 2 attrs" => with(&classes.sub, &["a", "b", "c", "d", "e"])?,
        "setattr loop over **kw" => with(&classes.loose, &ABC)?,
        "1 attr added late" => with(&classes.late, &["a", "b", "c", "d"])?,
        "del o.c" => changed(|it| it.delete("c"))?,
        "del o.c; o.c = 0" => changed(|it| it.delete("c").and_then(|()| it.set("c")))?,
        "every 2nd has no c" => with(&classes.sometimes, if i.is_multiple_of(2) { &ABC } else { &ABC[..2] })?,
        "two set orders" => with(&classes.flip, if i.is_multiple_of(2) { &ABC } else { &["c", "b", "a"] })?,
        "set twice" => with(&classes.twice, &["a", "b", "c", "a", "b", "c"])?,
        "o.__class__ = other" => {
            let mut it = plain()?;
            it.set_class(&classes.base)?;
            it
        }
        "o.__dict__ = {..3}" => changed(|it| it.replace_dict(ABC))?,
        "o.__dict__ = dict(other.__dict__)" => {
            let mut it = plain()?;
            it.replace_dict_with_copy_of(source)?;
            it
        }
        "o.__dict__[1] = 0" => changed(Instance::set_other_key)?,
        "o.__dict__.clear()" => changed(Instance::clear_dict)?,
        "weakref.ref(o) (ref kept)" => changed(Instance::weakref)?,
        _ => return Ok(None),
    };
    Ok(Some(it))
}

/// Objects made before those that were measured, and how many those were.
const WARM: usize = 80;
const MEASURED: usize = 512;

/// Checks the rows of one version, in the order they were measured.
pub(super) fn check(version: &str, rows: &[&Value]) -> Result<Vec<Verdict>, String> {
    let unknown = || rows.iter().map(|_| Verdict::Unknown).collect();
    let Ok(target) = version.parse::<Target>() else { return Ok(unknown()) };
    let Some(classes) = Classes::new(target) else { return Ok(unknown()) };
    let Ok(mut source) = with(&classes.plain, &ABC) else { return Ok(unknown()) };
    rows.iter().map(|row| check_case(text(row, "case")?, target, &classes, &mut source, row)).collect()
}

fn check_case<'c>(
    case: &str,
    target: Target,
    classes: &'c Classes,
    source: &mut Instance<'c>,
    row: &Value,
) -> Result<Verdict, String> {
    let mut measured = rounded(counts(row, "req")?);
    let mut alive = Vec::new();
    for i in 0..WARM + MEASURED {
        match live(case, classes, i, source) {
            Ok(Some(it)) => alive.push(it),
            Ok(None) => return Ok(Verdict::Unknown),
            Err(error) => return Ok(Verdict::Mismatch(format!("{case} on {target}: model {error}"))),
        }
    }
    let mut sum = BTreeMap::<u64, f64>::new();
    for (size, n) in alive[WARM..].iter().flat_map(|it| it.footprint().requests().to_vec()) {
        *sum.entry(size).or_default() += n as f64;
    }
    let model = rounded(sum.into_iter().map(|(size, n)| (size, n / MEASURED as f64)).collect());
    // Up to 3.13 the table holds a parked tuple in these rows, too.
    if case == "deepcopy result" && (target.version.major, target.version.minor) < (3, 14) {
        let parked = if target.version.minor < 8 { 64 } else { 48 };
        match measured.get_mut(&parked) {
            Some(n) if *n > 1 => *n -= 1,
            _ => _ = measured.remove(&parked),
        }
    }
    if model == measured {
        return Ok(Verdict::Same);
    }
    Ok(Verdict::Mismatch(format!("{case} on {target}: measured {measured:?}, model {model:?}")))
}

/// Counts per object as whole numbers.
fn rounded(counts: BTreeMap<u64, f64>) -> BTreeMap<u64, u64> {
    counts.into_iter().map(|(size, n)| (size, n.round() as u64)).collect()
}
