//! Rows of the table of fresh classes: random hierarchies and dataclasses, and an instance of the last class.

use std::collections::{BTreeMap, HashMap};

use cpymem_slots::model::{
    Class, ClassLayout, Dataclass, InstanceError, LayoutError, SlotItem, SlotsValue, Target,
};
use serde_json::{Value, json};

use super::{Verdict, counts, text};

/// Instances made before those that were measured, and how many those were.
const WARM: usize = 120;
const MEASURED: usize = 64;

/// Compares a row with the model: the outcome of every class, requests and getsizeof of an instance of the last.
pub(super) fn check(row: &Value) -> Result<Verdict, String> {
    let Ok(target) = text(row, "v")?.parse::<Target>() else { return Ok(Verdict::Unknown) };
    let Some(builtins) = super::hierarchy::builtins(target) else { return Ok(Verdict::Unknown) };
    let statements = row.get("classes").and_then(Value::as_array).ok_or("key classes: no list")?;
    let measured = row.get("t").and_then(Value::as_array).ok_or("key t: no list")?;
    let (outcomes, last) = make_classes(builtins, statements)?;
    let wrong: Vec<String> = measured
        .iter()
        .zip(&outcomes)
        .filter(|(measured, model)| !same(measured, model, target))
        .map(|(measured, model)| format!("class {measured}, model {model}"))
        .collect();
    if let Some(first) = wrong.first() {
        return Ok(Verdict::Mismatch(format!("on {target}: {first}: {}", row["classes"])));
    }
    if measured.len() != outcomes.len() {
        return Err(format!("key t: {} outcomes, not {}", measured.len(), outcomes.len()));
    }
    let Some(last) = last else { return Ok(Verdict::Same) };
    check_instance(row, &last).map(|wrong| {
        wrong.map_or(Verdict::Same, |what| Verdict::Mismatch(format!("on {target}: {what}: {row}")))
    })
}

/// The text; of an inconsistent order on 2.7 only its words, as the classes stand in no order there.
fn same(measured: &Value, model: &Value, target: Target) -> bool {
    let words = |text: &Value| {
        let mut words: Vec<String> = text
            .as_str()
            .unwrap_or_default()
            .split(|c: char| c.is_whitespace() || c == ',')
            .map(str::to_owned)
            .collect();
        words.sort_unstable();
        words
    };
    let unordered =
        target.version.major == 2 && measured.as_str().is_some_and(|text| text.contains("method resolution"));
    measured == model || (unordered && words(measured) == words(model))
}

/// The outcome of each class, and the last one that could be made.
fn make_classes(
    mut known: HashMap<String, ClassLayout>,
    statements: &[Value],
) -> Result<(Vec<Value>, Option<ClassLayout>), String> {
    let (mut outcomes, mut last) = (Vec::new(), None);
    for statement in statements {
        let malformed = || format!("key classes: {statement} is no class");
        let name = statement.get(0).and_then(Value::as_str).ok_or_else(malformed)?;
        let bases = statement.get(1).and_then(texts).ok_or_else(malformed)?;
        // A bytes of 2.7 is a str.
        let bases: Option<Vec<&ClassLayout>> = bases.iter().map(|base| known.get(*base)).collect();
        let Some(bases) = bases else {
            outcomes.push(json!("-"));
            continue;
        };
        let slots = match statement.get(2) {
            None | Some(Value::Null) => None,
            Some(slots) => Some(texts(slots).ok_or_else(malformed)?),
        };
        let slots: Option<Vec<SlotItem<'_>>> =
            slots.map(|slots| slots.into_iter().map(SlotItem::Name).collect());
        let dataclass = statement.get(3).filter(|it| !it.is_null());
        match class(name, &bases, slots.as_deref(), dataclass).ok_or_else(malformed)? {
            Err(error) => outcomes.push(json!(error.to_string())),
            Ok(made) => {
                let numbers = (made.basicsize(), made.itemsize(), made.dictoffset(), made.weakrefoffset());
                outcomes.push(json!(numbers));
                known.insert(name.to_owned(), made.clone());
                last = Some(made);
            }
        }
    }
    Ok((outcomes, last))
}

fn class(
    name: &str,
    bases: &[&ClassLayout],
    slots: Option<&[SlotItem<'_>]>,
    dataclass: Option<&Value>,
) -> Option<Result<ClassLayout, LayoutError>> {
    let written = slots.map(SlotsValue::Items);
    let Some(dataclass) = dataclass else {
        return Some(match written {
            None => ClassLayout::new(name, bases),
            Some(slots) => ClassLayout::with_slots_value(name, bases, slots, &[]),
        });
    };
    let flag = |name: &str| dataclass.get(name).and_then(Value::as_bool);
    let it = Dataclass {
        name,
        fields: &dataclass.get("fields").and_then(texts)?,
        slots: flag("slots")?,
        weakref_slot: flag("weakref_slot")?,
        written,
        body: &[],
    };
    Some(it.layout(bases))
}

fn texts(value: &Value) -> Option<Vec<&str>> {
    value.as_array()?.iter().map(Value::as_str).collect()
}

/// What differs in the instances of the last class.
fn check_instance(row: &Value, layout: &ClassLayout) -> Result<Option<String>, String> {
    let class = Class::new(layout);
    let names = row.get("set").and_then(texts).ok_or("key set: no list of names")?;
    let deleted = row.get("del").and_then(Value::as_str);
    let live = || -> Result<(Vec<_>, BTreeMap<u64, f64>), InstanceError> {
        let mut alive = Vec::new();
        for _ in 0..WARM + MEASURED {
            let mut it = class.instance();
            names.iter().try_for_each(|name| it.set(name))?;
            alive.push(it);
        }
        let mut requests = BTreeMap::<u64, f64>::new();
        for (size, n) in alive[WARM..].iter().flat_map(|it| it.footprint().requests().to_vec()) {
            *requests.entry(size).or_default() += n as f64 / MEASURED as f64;
        }
        if let (Some(it), Some(name)) = (alive.last_mut(), deleted) {
            it.delete(name)?;
        }
        Ok((alive, requests))
    };
    let (alive, requests) = match live() {
        Ok(lived) => lived,
        Err(error) => return Ok(Some(format!("model {error}"))),
    };
    let last = alive.last().map(|it| it.footprint());
    let model = json!([last.as_ref().map(|it| it.getsizeof()), last.and_then(|it| it.getsizeof_dict())]);
    if row.get("gs") != Some(&model) {
        return Ok(Some(format!("gs model {model}")));
    }
    if row.get("req").is_none_or(Value::is_null) {
        return Ok(None);
    }
    let measured = counts(row, "req")?;
    let rounded = |counts: BTreeMap<u64, f64>| -> BTreeMap<u64, u64> {
        let whole = counts.into_iter().map(|(size, n)| (size, n.round() as u64));
        whole.filter(|&(_, n)| n > 0).collect()
    };
    let (measured, model) = (rounded(measured), rounded(requests));
    Ok((measured != model).then(|| format!("req measured {measured:?}, model {model:?}")))
}
