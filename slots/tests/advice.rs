//! What advice says: the bytes against measured ones, what would break against interpreters that tried it.

use std::path::{Path, PathBuf};
use std::process::Command;

use cpymem_slots::model::{Advice, ClassSpec, RemedyKind, Target, advise};
use serde_json::Value;

fn user(n: usize) -> ClassSpec {
    let attributes: Vec<String> = (0..n).map(|i| format!("a{i}")).collect();
    ClassSpec { name: "User".to_owned(), assigned: attributes.clone(), attributes, ..ClassSpec::default() }
}

fn on(label: &str, spec: &ClassSpec) -> Advice {
    advise(spec, 1000, label.parse::<Target>().unwrap()).unwrap()
}

/// Change and bytes of the cliff whose change begins so.
fn cliff(advice: &Advice, change: &str) -> Option<u64> {
    advice.cliffs.iter().find(|it| it.change.starts_with(change)).map(|it| it.bytes)
}

#[test]
fn remedies_cost_what_was_measured() {
    for (label, now, slots, named_tuple, tuple) in [
        ("3.6", 192, 80, 96, 80),
        ("3.8", 160, 64, 80, 64),
        ("3.10", 160, 64, 80, 64),
        ("3.11", 112, 64, 80, 64),
        ("3.12", 96, 64, 80, 64),
        ("3.13", 96, 64, 80, 64),
        ("3.14", 96, 64, 80, 80),
    ] {
        let advice = on(label, &user(3));
        assert_eq!((advice.bytes, advice.total_bytes), (now, 1000 * now), "{label}");
        let bytes = |kind| advice.remedies.iter().find(|it| it.kind == kind).map(|it| it.bytes);
        assert_eq!(bytes(RemedyKind::Slots), Some(slots), "{label}");
        assert_eq!(bytes(RemedyKind::NamedTuple), Some(named_tuple), "{label}");
        assert_eq!(bytes(RemedyKind::Tuple), Some(tuple), "{label}");
        let dataclass = advice.target.version.minor >= 10;
        assert_eq!(bytes(RemedyKind::DataclassSlots), dataclass.then_some(slots), "{label}");
    }
}

#[test]
fn cliffs_cost_what_was_measured() {
    // 30 attributes; written by hand, 3.14 shares 30 names and falls at 31.
    for (label, bytes) in [("3.11", 1664), ("3.12", 1648), ("3.13", 1920)] {
        assert_eq!(cliff(&on(label, &user(28)), "30 attributes"), Some(bytes), "{label}");
        assert_eq!(cliff(&on(label, &user(20)), "30 attributes"), None, "{label}");
    }
    let generated = ClassSpec { assigned: Vec::new(), ..user(28) };
    assert_eq!(cliff(&on("3.14", &generated), "30 attributes"), Some(1920));
    // Lost key sharing.
    for (label, bytes) in [("3.8", Some(288)), ("3.10", Some(288)), ("3.11", None), ("3.13", None)] {
        assert_eq!(cliff(&on(label, &user(3)), "del obj.a0"), bytes, "{label}");
    }
    // Slots and a dict.
    for (label, bytes) in [("3.12", None), ("3.13", Some(432)), ("3.14", None)] {
        assert_eq!(cliff(&on(label, &user(3)), "slots and a __dict__"), bytes, "{label}");
    }
    // Slots that nobody reaches: ('a', 'a') over a base with a slot `b`, and `b` again.
    let twice = ["a", "a", "b"].map(String::from).to_vec();
    let wasteful = ClassSpec { slots: twice, inherited_slots: vec!["b".to_owned()], ..user(2) };
    assert_eq!(cliff(&on("3.12", &wasteful), "slots listed twice or in a base, too: a, b"), Some(64));
    assert_eq!(
        cliff(&on("3.12", &ClassSpec { slots: vec!["a".to_owned()], ..user(2) }), "slots listed"),
        None
    );
    // Three attributes, five more in a method that never ran: 144 bytes.
    let busy: Vec<String> = (0..8).map(|i| format!("a{i}")).collect();
    let busy = ClassSpec { optional: busy[3..].to_vec(), assigned: busy.clone(), ..user(8) };
    assert_eq!(cliff(&on("3.14", &busy), "5 attributes"), Some(144));
    assert_eq!(cliff(&on("3.13", &busy), "5 attributes"), None);
    for label in ["2.7", "3.8", "3.12", "3.13", "3.14"] {
        for it in on(label, &user(28)).cliffs {
            assert!(!it.reason.is_empty() && !it.reason.contains(". "), "one sentence: {}", it.reason);
        }
    }
}

fn breaks(advice: &Advice, kind: RemedyKind) -> String {
    let remedy = advice.remedies.iter().find(|it| it.kind == kind);
    remedy.map_or(String::new(), |it| it.breaks.join("\n"))
}

/// What the script tried, by interpreter.
fn tried() -> Vec<(Target, Value)> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/breaks.py");
    let root = std::env::var_os("PYENV_ROOT")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".pyenv")));
    let versions = root.and_then(|root| std::fs::read_dir(root.join("versions")).ok());
    let mut all = Vec::new();
    for version in versions.into_iter().flatten().flatten() {
        let target = version.file_name().to_str().and_then(|name| name.parse::<Target>().ok());
        let output = Command::new(version.path().join("bin/python")).arg(&script).output().ok();
        let results = output.and_then(|output| serde_json::from_slice(&output.stdout).ok());
        if let (Some(target), Some(results)) = (target, results) {
            all.push((target, results));
        }
    }
    all
}

#[test]
fn what_would_break_breaks() {
    let tried = tried();
    if tried.is_empty() {
        eprintln!("what_would_break_breaks: skipped, no interpreter was found");
    }
    for (target, results) in tried {
        let said = |what: &str| results[what].as_str().unwrap_or("").to_owned();
        let spec = ClassSpec {
            body: vec!["a0".to_owned()],
            cached_properties: vec!["p".to_owned()],
            several_bases: true,
            uses_dict: true,
            mutable: true,
            ..user(2)
        };
        let advice = advise(&spec, 1, target).unwrap();
        for (kind, name) in [
            (RemedyKind::Slots, "slots"),
            (RemedyKind::DataclassSlots, "dataclass"),
            (RemedyKind::NamedTuple, "named tuple"),
            (RemedyKind::Tuple, "tuple"),
        ] {
            if !advice.remedies.iter().any(|it| it.kind == kind) {
                assert!(results.get(format!("weakref of {name}")).is_none(), "{target} {name}");
                continue;
            }
            let told = breaks(&advice, kind);
            let agrees = |what: &str, words: &str| {
                let failed = !said(&format!("{what} {name}")).is_empty();
                assert_eq!(failed, told.contains(words), "{target}: {what} {name}: {told}");
            };
            agrees("weakref of", "weak references to instances");
            agrees("pickle 0 of", "pickle protocols 0 and 1");
            agrees("pickle 1 of", "pickle protocols 0 and 1");
            assert_eq!(said(&format!("pickle 2 of {name}")), "", "{target}");
            agrees("assignment to", "items of a tuple cannot be set");
            // The named tuples of 2.7 have a __dict__ that they make anew each time.
            if target.version.major > 2 || kind != RemedyKind::NamedTuple {
                agrees("vars of", "vars(self)");
            }
            // cached_property came with 3.8.
            if target.version.major > 2 && target.version.minor >= 8 {
                agrees("cached_property on", "cached_property");
            }
        }
        let told = breaks(&advice, RemedyKind::Slots);
        assert_eq!(said("weakref of slots with __weakref__"), "", "{target}");
        assert_eq!(said("pickle 0 of slots with __getstate__"), "", "{target}");
        assert!(said("two bases").ends_with("multiple bases have instance lay-out conflict"), "{target}");
        assert!(told.contains("multiple bases have instance lay-out conflict"), "{target}");
        match said("default").as_str() {
            "" => assert!(told.contains("the default of the class hides the slot: a0"), "{target}"),
            error => assert!(told.contains(&error.replace("'a'", "'a0'")), "{target}: {told}"),
        }
    }
}
