//! Random lives of instances, against what CPython's `sys.getsizeof` said in the end.

#[allow(dead_code, reason = "of the module that reads tables, only the reading is used here")]
#[path = "../examples/check/tables/mod.rs"]
mod tables;

use std::path::Path;

use cpymem_slots::model::{Builtin, Class, ClassLayout, Instance, Target};
use serde_json::Value;

const LIVES: usize = 600;

fn layout(kind: &str, target: Target) -> ClassLayout {
    let builtin = |it| ClassLayout::builtin(it, target).unwrap();
    let object = builtin(Builtin::Object);
    let slotted = |slots: &[&str]| ClassLayout::with_slots("B", &[&object], slots).unwrap();
    let base = match kind {
        "dict" => object,
        "slots_dict" => return slotted(&["s", "t", "__dict__"]),
        "slots_sub" => slotted(&["s"]),
        "exc" => builtin(Builtin::Exception),
        "intsub" => builtin(Builtin::Int),
        "listsub" => builtin(Builtin::List),
        _ => panic!("kind {kind} is not known"),
    };
    ClassLayout::new("C", &[&base]).unwrap()
}

fn happen(instances: &mut [Instance<'_>], event: &Value) {
    let it = &mut instances[event[1].as_u64().unwrap() as usize];
    let name = || event[2].as_str().unwrap();
    let names = || event[2].as_array().unwrap().iter().map(|name| name.as_str().unwrap());
    match event[0].as_str().unwrap() {
        "set" => it.set(name()),
        "del" => it.delete(name()),
        "touch" => it.touch_dict(),
        "update" => it.update_dict(names()),
        "replace" => it.replace_dict(names()),
        what => panic!("event {what} is not known"),
    }
    .unwrap();
}

/// The number of instances whose sizes differ from the row's.
fn differing(row: &Value) -> usize {
    let target: Target = row["v"].as_str().unwrap().parse().unwrap();
    let class = Class::new(&layout(row["k"].as_str().unwrap(), target));
    let mut instances: Vec<_> = (0..row["n"].as_u64().unwrap()).map(|_| class.instance()).collect();
    row["ev"].as_array().unwrap().iter().for_each(|event| happen(&mut instances, event));
    let sizes = instances.iter().map(Instance::footprint).map(|it| (it.getsizeof(), it.getsizeof_dict()));
    let measured = row["gs"].as_array().unwrap();
    assert_eq!(measured.len(), instances.len());
    measured
        .iter()
        .zip(sizes)
        .filter(|(pair, it)| (pair[0].as_u64(), pair[1].as_u64()) != (Some(it.0), it.1))
        .count()
}

fn rows() -> Vec<Value> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/events.jsonl.gz");
    tables::read(&file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn random_lives() {
    let rows = rows();
    assert_eq!(rows.len(), LIVES);
    for (line, row) in (1..).zip(&rows) {
        assert_eq!(differing(row), 0, "line {line}: {} on {}", row["k"], row["v"]);
    }
}

/// The comparison can fail: a missing event or an altered size shows.
#[test]
fn altered_lives_differ() {
    let mut row = rows().remove(0);
    assert_eq!(differing(&row), 0);
    row["gs"][0][1] = 1.into();
    assert_eq!(differing(&row), 1);
}
