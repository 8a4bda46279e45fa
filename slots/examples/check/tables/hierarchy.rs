//! Rows of the hierarchy table: what type creation made of random classes on several versions.

use std::collections::HashMap;
use std::path::Path;

use cpymem_slots::model::{Builtin, Class, ClassLayout, Footprint, Target};
use serde_json::{Value, json};

use super::{Verdict, number, read, sizes};

/// Instances made before the one that is looked at.
const WARM: usize = 60;

/// The class statements of all cases: `[[name, [bases], slots or null], ...]` each.
pub(super) struct Cases(Vec<Vec<Statement>>);

struct Statement {
    name: String,
    bases: Vec<String>,
    slots: Option<Vec<String>>,
}

impl Cases {
    /// Reads a file of cases.
    ///
    /// # Errors
    /// If it cannot be read; the message names the file and, of a malformed one, the case.
    pub(super) fn read(path: &Path) -> Result<Cases, String> {
        let in_file = |what: String| format!("{}: {what}", path.display());
        type Written = (String, Vec<String>, Option<Vec<String>>);
        let cases: Vec<Vec<Written>> =
            serde_json::from_str(&read(path)?).map_err(|error| in_file(error.to_string()))?;
        let statement = |(name, bases, slots)| Statement { name, bases, slots };
        Ok(Cases(cases.into_iter().map(|case| case.into_iter().map(statement).collect()).collect()))
    }
}

/// Compares a row: layout numbers or error text of each class, then the requests and getsizeof of an
/// instance of the last one with attributes `p` and `q` if it has a dict.
pub(super) fn check(row: &Value, cases: &Cases) -> Result<Vec<Verdict>, String> {
    let versions = match row.get("v") {
        Some(Value::String(one)) => vec![one.as_str()],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => return Err("key v: neither a version nor a list of versions".to_owned()),
    };
    let index = number(row, "c")?;
    let case = cases.0.get(index as usize).ok_or_else(|| format!("key c: no case {index}"))?;
    versions.into_iter().map(|version| check_version(row, index, case, version)).collect()
}

fn check_version(row: &Value, index: u32, case: &[Statement], version: &str) -> Result<Verdict, String> {
    let Ok(target) = version.parse::<Target>() else { return Ok(Verdict::Unknown) };
    let Some(builtins) = builtins(target) else { return Ok(Verdict::Unknown) };
    let (outcomes, last) = make_classes(builtins, case);

    let mut wrong = Vec::new();
    let measured = row.get("t").and_then(Value::as_array).ok_or("key t: no list")?;
    for (i, (measured, model)) in measured.iter().zip(&outcomes).enumerate() {
        if measured != model {
            wrong.push(format!("class {i} {measured}, model {model}"));
        }
    }
    if measured.len() != outcomes.len() {
        wrong.push(format!("{} classes, model {}", measured.len(), outcomes.len()));
    }
    // 2.7 cannot be asked for its requests.
    if let Some(layout) = last.filter(|_| target.version.major > 2) {
        let footprint = footprint(&layout);
        let requests: HashMap<String, u64> =
            footprint.requests().iter().map(|&(size, count)| (size.to_string(), count)).collect();
        if row.get("req") != Some(&json!(requests)) {
            wrong.push(format!("req {:?}, model {requests:?}", row.get("req")));
        }
        let model = (footprint.getsizeof(), footprint.getsizeof_dict());
        if sizes(row)? != model {
            wrong.push(format!("gs {:?}, model {model:?}", sizes(row)?));
        }
    }
    if wrong.is_empty() {
        return Ok(Verdict::Same);
    }
    Ok(Verdict::Mismatch(format!("case {index} on {target}: {}", wrong.join("; "))))
}

/// The built-in classes by their names; `None` if the target is not known.
pub(super) fn builtins(target: Target) -> Option<HashMap<String, ClassLayout>> {
    let layout = |builtin: Builtin| ClassLayout::builtin(builtin, target).ok();
    Builtin::ALL.into_iter().map(|it| Some((it.name().to_owned(), layout(it)?))).collect()
}

/// Makes the classes in order. The outcome of each: its numbers, the error text, or `-` if a base is
/// missing; and the last class that could be made.
fn make_classes(
    mut known: HashMap<String, ClassLayout>,
    case: &[Statement],
) -> (Vec<Value>, Option<ClassLayout>) {
    let mut outcomes = Vec::new();
    let mut last = None;
    for Statement { name, bases, slots } in case {
        let bases: Option<Vec<&ClassLayout>> = bases.iter().map(|base| known.get(base)).collect();
        let made = match (bases, slots) {
            (None, _) => {
                outcomes.push(json!("-"));
                continue;
            }
            (Some(bases), None) => ClassLayout::new(name, &bases),
            (Some(bases), Some(slots)) => ClassLayout::with_slots(name, &bases, slots),
        };
        match made {
            Err(error) => outcomes.push(json!(error.to_string())),
            Ok(made) => {
                let numbers = (made.basicsize(), made.itemsize(), made.dictoffset(), made.weakrefoffset());
                outcomes.push(json!(numbers));
                known.insert(name.clone(), made.clone());
                last = Some(made);
            }
        }
    }
    (outcomes, last)
}

fn footprint(layout: &ClassLayout) -> Footprint {
    let class = Class::new(layout);
    let live = || {
        let mut instance = class.instance();
        if layout.has_dict() {
            instance.set("p").expect("a class with a dict takes every name");
            instance.set("q").expect("a class with a dict takes every name");
        }
        instance.footprint()
    };
    for _ in 1..WARM {
        live();
    }
    live()
}
