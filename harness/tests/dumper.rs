//! The dumper in every interpreter of this machine: its dumps are read, collected, and compared with what
//! `gc.collect()` then found; nothing of the program is touched, and no user data is written.

mod common;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::folder::Folder;
use common::open;
use common::python::{Python, pythons};
use cpymem_harness::dumper::HELPER;
use cpymem_harness::heap::{Dump, Labels};
use cpymem_harness::progress::Progress;
use cpymem_harness::rebuild;
use flate2::read::MultiGzDecoder;
use serde_json::Value;

/// What no dump may contain: it stands in the program's data only.
const SECRET: &str = "tulip-mania";

fn dump(folder: &Folder, name: &str) -> PathBuf {
    folder.as_path().join(format!("{name}.heap.jsonl.gz"))
}

fn text(path: &Path) -> String {
    let mut text = String::new();
    MultiGzDecoder::new(&std::fs::read(path).unwrap()[..]).read_to_string(&mut text).unwrap();
    text
}

#[test]
fn dumps_of_every_interpreter_are_exact_and_touch_nothing() {
    let pythons = pythons();
    std::thread::scope(|scope| {
        for python in &pythons {
            scope.spawn(|| in_one(python));
        }
    });
}

fn in_one(python: &Python) {
    let folder = Folder::with_dumper("dumper", python);
    let (major, minor) = python.version;
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/heaps.py");
    let output = Command::new(&python.path)
        .args(["-W", "default:This process:DeprecationWarning"])
        .arg(programs)
        .arg(folder.as_path())
        .env("PYTHONPATH", folder.as_path())
        .env_remove("PYTHONHASHSEED")
        .output()
        .unwrap();
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.ends_with("complete\n"), "{major}.{minor}: {said}{errors}");
    assert!(errors.is_empty(), "{major}.{minor}: {errors}");

    let mut found = 0;
    for line in said.lines().filter(|line| line.starts_with('[')) {
        let (name, objects, collected, dead): (String, u64, u64, u64) = serde_json::from_str(line).unwrap();
        let label = format!("{major}.{minor} {name}");
        let input = open(&dump(&folder, &name));
        let record = rebuild::heap(&input, &Progress::silent()).unwrap_or_else(|e| panic!("{label}: {e}"));
        assert!(
            record.objects < objects && record.objects + 20 > objects,
            "{label}: rows of the dumper's own"
        );
        assert_eq!(record.garbage.recorded, Some(collected), "{label}");
        // A suspended generator that is garbage ends itself when the collector closes it, so gc.collect() does
        // not count it; before 3.11 its frame is an object, too.
        let closed = dead * if python.version < (3, 11) { 2 } else { 1 };
        assert_eq!(record.garbage.found, collected + closed, "{label}");
        assert!(dead == 0 || name == "generators", "{label}");
        found += record.garbage.found;
        if name == "private" {
            private(&dump(&folder, &name), &label);
        }
    }
    assert!(found > 4_000, "{major}.{minor}: {found} garbage in all programs");
    named(&folder, python);
    for name in ["forked", "signal", "wsgi", "socket"] {
        let input = open(&dump(&folder, name));
        let record = rebuild::heap(&input, &Progress::silent())
            .unwrap_or_else(|e| panic!("{major}.{minor} {name}: {e}"));
        assert!(record.objects > 20_000 && record.garbage.recorded.is_none(), "{major}.{minor} {name}");
        let dump = Dump::read(&input, Labels::Skip).unwrap();
        let locals = dump.ids().filter(|&id| dump.type_name(id).ends_with(".Connection"));
        assert_eq!(locals.count(), 3, "{major}.{minor} {name}: what only other threads hold");
    }
}

/// Values and keys of the program are not in the dump, but for what is a name; equal strings have equal hashes.
fn private(path: &Path, label: &str) {
    let text = text(path);
    assert!(!text.contains(SECRET), "{label}");
    let dump = Dump::read(&open(path), Labels::Keep).unwrap();
    let hashes =
        dump.ids().filter(|&id| dump.type_name(id) == "builtins.str").filter_map(|id| dump.label(id));
    let mut hashes: Vec<&str> = hashes.collect();
    assert!(hashes.len() > 5_000 && hashes.iter().all(|hash| hash.len() == 16), "{label}");
    hashes.sort_unstable();
    hashes.dedup();
    assert!(hashes.len() > 4_000, "{label}: {} different", hashes.len());
}

/// The dicts of modules, classes and instances have the names of their values; classes have their attributes.
fn named(folder: &Folder, python: &Python) {
    let text = text(&dump(folder, "instances"));
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |id: &Value| lines.iter().find(|line| line.is_array() && &line[0] == id).unwrap();
    let globals = lines.iter().filter_map(|line| line.get("names"));
    let globals = globals.filter(|names| names["keys"].as_array().unwrap().contains(&"SECRET".into()));
    let globals: Vec<&Value> = globals.collect();
    assert_eq!(globals.len(), 1, "{:?}: the main program's globals", python.version);
    let keys = globals[0]["keys"].as_array().unwrap();
    let referents = of(&globals[0]["id"])[6].as_array().unwrap();
    assert_eq!(keys.len(), referents.len());
    let value = |name: &str| of(&referents[keys.iter().position(|key| key == name).unwrap()]);
    let class = |row: &Value| lines.iter().find(|line| line["type"]["id"] == row[1]).unwrap()["type"].clone();
    assert_eq!(class(value("KEPT"))["name"], "builtins.list");
    assert_eq!(class(value("cycles"))["name"], "builtins.function");
    assert_eq!(value("cycles")[7], "__main__.cycles");
    assert_eq!(value("Derived")[7], "__main__.Derived");
    let process = &lines[1]["process"];
    let smaps = process["smaps"].as_array().unwrap();
    assert!(
        smaps.len() > 10 && process["mallocstats"].as_str().unwrap().contains("arenas allocated current")
    );

    let types: Vec<&Value> = lines.iter().filter_map(|line| line.get("type")).collect();
    let by_name = |name: &str| types.iter().find(|class| class["name"] == name).unwrap();
    assert_eq!(by_name("__main__.Derived")["slots"], serde_json::json!(["third", "first", "second"]));
    assert_eq!(by_name("__main__.Derived")["kind"], "slots");
    assert_eq!(by_name("__main__.Open")["kind"], "slots+dict");
    let attrs = |name: &str| {
        let id = &by_name(name)["id"];
        lines.iter().filter_map(|line| line.get("attrs")).find(|attrs| &attrs["type"] == id).unwrap()
    };
    let node = attrs("__main__.Node");
    assert_eq!(node["names"], serde_json::json!([["number", 6], ["me", 6], ["other", 6]]));
    if python.version >= (3, 11) {
        assert_eq!(node["order"], serde_json::json!(["number", "me", "other"]), "{:?}", python.version);
    }
}

#[test]
fn the_program_prints_the_file_that_it_carries() {
    let output = Command::new(env!("CARGO_BIN_EXE_cpymem")).args(["dump", "--helper"]).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty());
    assert_eq!(String::from_utf8(output.stdout).unwrap(), HELPER);
    let output = Command::new(env!("CARGO_BIN_EXE_cpymem")).args(["dump"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "there is no other way to make a dump");
}
