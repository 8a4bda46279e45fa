//! Fresh measurements: random classes made by every interpreter found here, compared with the model.

#[allow(dead_code, reason = "of the module that reads tables, only the reading is used here")]
#[path = "../examples/check/tables/mod.rs"]
mod tables;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use cpymem_slots::model::{Builtin, Class, ClassLayout, LayoutError, Target};
use serde_json::{Value, json};

const CASES: &str = "250";

/// Interpreters by name in the folders of `PATH`, and those that pyenv keeps.
fn interpreters() -> Vec<PathBuf> {
    let names = (6..=15).map(|minor| format!("python3.{minor}")).chain(["python2.7".to_owned()]);
    let names: Vec<String> = names.collect();
    let mut folders: Vec<PathBuf> =
        std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
    let root = std::env::var_os("PYENV_ROOT")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".pyenv")));
    if let Some(versions) = root.and_then(|root| std::fs::read_dir(root.join("versions")).ok()) {
        folders.splice(0..0, versions.flatten().map(|version| version.path().join("bin")));
    }
    let found = |name: &String| {
        folders
            .iter()
            .filter(|folder| !folder.ends_with("shims"))
            .map(|it| it.join(name))
            .find(|it| it.is_file())
    };
    names.iter().filter_map(found).collect()
}

fn differing(row: &Value) -> Option<String> {
    let target: Target = row["v"].as_str()?.parse().ok()?;
    let builtin = |it: Builtin| (it.name().to_owned(), ClassLayout::builtin(it, target).unwrap());
    let mut known: HashMap<String, ClassLayout> = Builtin::ALL.into_iter().map(builtin).collect();
    let (mut outcomes, mut last) = (Vec::new(), None);
    for statement in row["classes"].as_array()? {
        let name = statement[0].as_str()?;
        let bases = statement[1].as_array()?.iter().map(|base| known.get(base.as_str().unwrap()));
        let Some(bases) = bases.collect::<Option<Vec<_>>>() else {
            outcomes.push(json!("-"));
            continue;
        };
        let made = match statement[2].as_array() {
            None => ClassLayout::new(name, &bases),
            Some(slots) => {
                let slots: Vec<&str> = slots.iter().filter_map(Value::as_str).collect();
                ClassLayout::with_slots(name, &bases, &slots)
            }
        };
        match made {
            Err(error) => outcomes.push(said(&error, row["v"].as_str()?, &row["t"][outcomes.len()])),
            Ok(made) => {
                outcomes.push(json!([
                    made.basicsize(),
                    made.itemsize(),
                    made.dictoffset(),
                    made.weakrefoffset()
                ]));
                known.insert(name.to_owned(), made.clone());
                last = Some(made);
            }
        }
    }
    if row["t"] != json!(outcomes) {
        return Some(format!("{}: classes {}, model {}", row["v"], row, json!(outcomes)));
    }
    let layout = last?;
    let class = Class::new(&layout);
    let names: Vec<&str> = row["set"].as_array()?.iter().filter_map(Value::as_str).collect();
    let mut alive = Vec::new();
    for _ in 0..40 {
        let mut it = class.instance();
        names.iter().for_each(|name| it.set(name).unwrap());
        alive.push(it);
    }
    let it = alive.last_mut()?;
    if let Some(name) = row["del"].as_str() {
        it.delete(name).unwrap();
    }
    let model = json!([it.footprint().getsizeof(), it.footprint().getsizeof_dict()]);
    (model != row["gs"]).then(|| format!("{}: {row}, model {model}", row["v"]))
}

/// The text; of an inconsistent order only its beginning, as up to 3.5 the classes stand in no order.
fn said(error: &LayoutError, version: &str, measured: &Value) -> Value {
    let text = error.to_string();
    let same = |a: &str, b: &str| {
        let words = |text: &str| {
            let mut words: Vec<String> =
                text.split(|c: char| c.is_whitespace() || c == ',').map(str::to_owned).collect();
            words.sort_unstable();
            words
        };
        words(a) == words(b)
    };
    match measured.as_str() {
        Some(measured)
            if version.starts_with("2.")
                && matches!(error, LayoutError::InconsistentMro { .. })
                && same(measured, &text) =>
        {
            json!(measured)
        }
        _ => json!(text),
    }
}

#[test]
fn fresh_classes() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fresh.py");
    let interpreters = interpreters();
    if interpreters.is_empty() {
        eprintln!("fresh_classes: skipped, no interpreter was found");
    }
    for interpreter in interpreters {
        let output = Command::new(&interpreter).arg(&script).args(["20261", CASES]).output();
        let Some(output) = output.ok().filter(|output| output.status.success()) else {
            eprintln!("fresh_classes: {} skipped, it does not run the script", interpreter.display());
            continue;
        };
        let text = String::from_utf8(output.stdout).unwrap();
        let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let known = rows.first().and_then(|row| row["v"].as_str()?.parse::<Target>().ok());
        if known.is_none_or(|target| ClassLayout::object(target).is_err()) {
            eprintln!("fresh_classes: {} skipped, its version is not modelled", interpreter.display());
            continue;
        }
        let wrong: Vec<String> = rows.iter().filter_map(differing).collect();
        eprintln!("fresh_classes: {} rows {} mismatches {}", rows[0]["v"], rows.len(), wrong.len());
        assert!(wrong.is_empty(), "{:#?}", &wrong[..wrong.len().min(3)]);
    }
}
