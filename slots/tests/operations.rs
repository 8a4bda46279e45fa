//! What ordinary operations do to an object of three attributes, against measured interpreters.

#[allow(dead_code, reason = "of the module that reads tables, only the reading is used here")]
#[path = "../examples/check/tables/mod.rs"]
mod tables;

use std::collections::BTreeMap;
use std::path::Path;

use cpymem_slots::model::{Class, ClassLayout, Instance, InstanceError, Target};
use serde_json::Value;

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
    fn new(target: Target) -> Classes {
        let object = ClassLayout::object(target).unwrap();
        let plain = ClassLayout::new("P", &[&object]).unwrap();
        let assigns = |names: &[&str]| Class::with_static_attributes(&plain, names);
        let base = assigns(&ABC);
        let slotted = |names: &[&str]| Class::new(&ClassLayout::with_slots("S", &[&object], names).unwrap());
        let sub = ClassLayout::new("Sub", &[base.layout()]).unwrap();
        Classes {
            sub: Class::with_static_attributes(&sub, &["d", "e"]),
            plain: assigns(&ABC),
            base,
            cached: assigns(&ABC),
            busy: assigns(&["a", "b", "c", "d", "e", "f", "g", "h"]),
            loose: assigns(&[]),
            late: assigns(&ABC),
            slots: slotted(&ABC),
            slots_weakref: slotted(&["a", "b", "c", "__weakref__"]),
            sometimes: assigns(&ABC),
            flip: assigns(&ABC),
            twice: assigns(&ABC),
        }
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

/// Checks the cases of one version in the order they were measured.
fn differing(version: &str, rows: &[Value]) -> Vec<String> {
    let target: Target = version.parse().unwrap();
    let classes = Classes::new(target);
    let mut source = with(&classes.plain, &ABC).unwrap();
    let mut wrong = Vec::new();
    for row in rows {
        let case = row["case"].as_str().unwrap();
        let mut alive = Vec::new();
        for i in 0..592 {
            alive
                .push(live(case, &classes, i, &mut source).unwrap().unwrap_or_else(|| panic!("case {case}")));
        }
        let mut sum = BTreeMap::<u64, u64>::new();
        for (size, n) in alive[80..].iter().flat_map(|it| it.footprint().requests().to_vec()) {
            *sum.entry(size).or_default() += n;
        }
        let model: BTreeMap<u64, u64> =
            sum.iter().map(|(&size, &n)| (size, (n as f64 / 512.0).round() as u64)).collect();
        let mut measured: BTreeMap<u64, u64> = row["req"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(size, n)| (size.parse().unwrap(), n.as_f64().unwrap().round() as u64))
            .collect();
        // These rows also hold a parked tuple up to 3.13.
        if case == "deepcopy result" && (target.version.major, target.version.minor) < (3, 14) {
            let parked = if target.version.minor < 8 { 64 } else { 48 };
            let left = measured.remove(&parked).unwrap() - 1;
            if left > 0 {
                measured.insert(parked, left);
            }
        }
        if model != measured {
            wrong.push(format!("{version} {case}: measured {measured:?}, model {model:?}"));
        }
    }
    wrong
}

#[test]
fn ordinary_operations() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/extra.jsonl.gz");
    let mut by_version: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in tables::read(&file).unwrap().lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        by_version.entry(row["v"].as_str().unwrap().to_owned()).or_default().push(row);
    }
    assert_eq!(by_version.values().map(Vec::len).sum::<usize>(), 273);
    let wrong: Vec<String> = by_version.iter().flat_map(|(version, rows)| differing(version, rows)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
