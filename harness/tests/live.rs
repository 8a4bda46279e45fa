//! Answers about fresh dumps of the interpreters of this machine, compared with what those interpreters measured.

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::folder::Folder;
use common::open;
use common::python::{Python, pythons};
use cpymem_harness::progress::Progress;
use cpymem_harness::questions::{audit, holders, savings};

fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs").join(name)
}

/// What the program printed.
#[track_caller]
fn run(python: &Python, args: &[&std::ffi::OsStr]) -> String {
    let output = Command::new(&python.path).args(args).env("PYTHONHASHSEED", "0").output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?}: {errors}", python.version);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The saving of slots in a dump, against both kinds of instances measured in the process that was dumped.
#[test]
fn slots_save_what_was_measured() {
    for python in &pythons() {
        let folder = Folder::with_dumper("slots", python);
        let said = run(
            python,
            &[program("measured.py").as_ref(), folder.as_path().as_ref(), "a.heap.jsonl.gz".as_ref()],
        );
        let measured: Vec<f64> = said.split_whitespace().map(|number| number.parse().unwrap()).collect();
        let record =
            savings::savings(&open(&folder.as_path().join("a.heap.jsonl.gz")), &Progress::silent()).unwrap();
        let label = format!("{:?}: measured {measured:?}", python.version);
        if record.notes.iter().any(|note| note.contains("not modelled")) {
            eprintln!("skipped: {label}: {:?}", record.notes);
            continue;
        }
        let class = record.classes.iter().find(|class| class.name == "__main__.Plain").expect(&label);
        assert_eq!(class.count, 20_100, "{label}");
        let each = |bytes: u64| bytes as f64 / class.count as f64;
        let said =
            [each(class.now_bytes), each(class.slots_bytes.unwrap()), each(class.saved_bytes.unwrap())];
        let measured = [measured[0], measured[1], measured[0] - measured[1]];
        eprintln!("{:?}: measured {measured:.2?}, told {said:.2?}", python.version);
        for (told, measured) in said.iter().zip(measured) {
            assert!((told - measured).abs() <= 0.02 * measured, "{label}: told {said:?}");
        }
    }
}

/// An extension type without `tp_traverse`, compiled here.
#[test]
fn an_extension_type_without_traversal_is_named_in_a_fresh_dump() {
    for python in &pythons() {
        let folder = Folder::with_dumper("hidden", python);
        let code = "import sysconfig; print(sysconfig.get_paths()['include'])";
        let include = run(python, &["-c".as_ref(), code.as_ref()]);
        let include = include.trim();
        if !Path::new(include).join("Python.h").exists() {
            eprintln!("skipped: no headers of {:?}", python.version);
            continue;
        }
        let library = folder.as_path().join("hidden.so");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-I", include])
            .arg(program("hidden.c"))
            .arg("-o")
            .arg(&library)
            .output();
        let Ok(compiled) = compiled else {
            eprintln!("skipped: no C compiler here");
            return;
        };
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        std::fs::copy(program("hidden_nodes.py"), folder.as_path().join("hidden_nodes.py")).unwrap();
        let code = "import sys; sys.path.insert(0, sys.argv[1]); import cpymem_dump, hidden_nodes\n\
                    hidden_nodes.main(); cpymem_dump.dump(sys.argv[1] + '/a.heap.jsonl.gz')";
        run(python, &["-c".as_ref(), code.as_ref(), folder.as_path().as_ref()]);
        let input = open(&folder.as_path().join("a.heap.jsonl.gz"));
        let record = audit::audit(&input, &Progress::silent()).unwrap();
        let named = record.holders.iter().find(|holder| holder.name == "hidden.Holder");
        let named = named.unwrap_or_else(|| panic!("{:?}: {:?}", python.version, record.holders));
        assert_eq!((named.hidden_references, named.instances), (1234, 1234), "{:?}", python.version);
        let record = holders::holders(&input, true, &Progress::silent()).unwrap();
        let keep = record.owners.iter().flatten().find(|owner| owner.path == "hidden_nodes.KEEP");
        assert_eq!(keep.map(|owner| owner.entries), Some(1234), "{:?}", python.version);
    }
}
