//! The model against measured interpreters, row by row.

#[path = "../examples/check/tables/mod.rs"]
mod tables;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tables::{Totals, Verdict, check_file, check_row};

/// Checks a file of the bundled data, all of whose rows the model must know.
fn agrees(name: &str, rows: u64) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let report = check_file(&folder.join(name), Some(&folder.join("hier_cases.json.gz"))).unwrap();
    assert_eq!(report.totals, Totals { rows, mismatches: 0, unknown: 0 }, "{name}: {:#?}", report.shown);
}

#[test]
fn warm_instances_of_all_kinds() {
    agrees("golden.jsonl.gz", 9651);
}

#[test]
fn instances_2_to_45_of_fresh_classes() {
    agrees("seq.jsonl.gz", 2265);
}

#[test]
fn random_class_hierarchies() {
    agrees("hier_golden.jsonl.gz", 18_000);
}

#[test]
fn sizes_of_values_and_containers() {
    agrees("sizes.jsonl.gz", 482);
}

#[test]
fn ordinary_operations() {
    agrees("extra.jsonl.gz", 273);
}

#[test]
fn random_lives_of_instances() {
    agrees("events.jsonl.gz", 900);
}

#[test]
fn random_classes_and_dataclasses() {
    agrees("classes.jsonl.gz", 720);
}

/// The full tables, whose compact copies are bundled, lie where `CPYMEM_DATA_SLOTS` says.
#[test]
fn full_tables() {
    let Some(folder) = std::env::var_os("CPYMEM_DATA_SLOTS").map(PathBuf::from) else {
        eprintln!("full_tables: skipped, CPYMEM_DATA_SLOTS names no folder");
        return;
    };
    for name in ["golden.jsonl", "seq.jsonl", "hier_golden.jsonl", "sizes.jsonl", "extra.jsonl"] {
        let plain = folder.join(name);
        let file = if plain.is_file() { plain } else { folder.join(format!("{name}.gz")) };
        let report = check_file(&file, None).unwrap();
        eprintln!("{name} {}", report.totals);
        let Totals { mismatches, unknown, .. } = report.totals;
        assert_eq!((mismatches, unknown), (0, 0), "{name}: {:#?}", report.shown);
    }
}

fn verdict(row: Value) -> Verdict {
    check_row(&row).unwrap().remove(0)
}

/// A plain object of three attributes on 3.13.
fn golden() -> Value {
    json!({"v": "3.13.0", "k": "dict", "N": 3, "gs": [48, 96], "req": {"96": 1}, "blk": {"96": 1}, "big": 0})
}

#[test]
fn altered_rows_are_mismatches() {
    assert_eq!(verdict(golden()), Verdict::Same);
    for (key, value) in [
        ("gs", json!([56, 96])),
        ("gs", json!([48, 104])),
        ("gs", json!([48, null])),
        ("req", json!({"104": 1})),
        ("req", json!({"96": 2})),
        ("req", json!({"96": 1, "64": 1})),
        ("blk", json!({"112": 1})),
        ("big", json!(32)),
        ("N", json!(4)),
        ("v", json!("3.12.1")),
        ("k", json!("slots")),
    ] {
        let mut row = golden();
        row[key] = value;
        assert!(matches!(verdict(row.clone()), Verdict::Mismatch(_)), "{row}");
    }
}

#[test]
fn altered_sequences_are_mismatches() {
    let row =
        |second: i64| json!({"v": "3.13.0", "k": "dict", "N": 3, "seq": [[328, 1], [second, 1], [312, 1]]});
    assert_eq!(verdict(row(320)), Verdict::Same);
    assert!(matches!(verdict(row(328)), Verdict::Mismatch(_)));
}

/// Up to 3.9 a dict of six names has left its first table behind: 168 bytes that the next small dict gets.
#[test]
fn what_is_parked_belongs_to_a_sequence() {
    let row = |second: i64| json!({"v": "3.8.18", "k": "dict_kw", "N": 6, "seq": [[1080, 1], [second, 44]]});
    assert_eq!(verdict(row(408 + 168)), Verdict::Same);
    assert!(matches!(verdict(row(408)), Verdict::Mismatch(_)));
}

#[test]
fn altered_sizes_are_mismatches() {
    let row = |what: &str, val: Value| verdict(json!({"v": "3.12.1", "what": what, "val": val}));
    assert_eq!(row("list_append", json!([[0, 56], [1, 88], [5, 120]])), Verdict::Same);
    assert_eq!(row("bytes", json!([[0, 33], [7, 40]])), Verdict::Same);
    assert_eq!(row("no_such_thing", json!([])), Verdict::Unknown);
    for (what, val) in [
        ("list_append", json!([[0, 56], [1, 88], [6, 120]])),
        ("bytes", json!([[0, 33], [7, 41]])),
        ("blocks_per_pool", json!([[16, 253]])),
    ] {
        assert!(matches!(row(what, val), Verdict::Mismatch(_)), "{what}");
    }
    for val in [json!(3), json!([3]), json!([[1]]), json!([[-1, 2]]), json!([[0, 33, 34]])] {
        let row = json!({"v": "3.12.1", "what": "bytes", "val": val});
        assert!(check_row(&row).unwrap_err().starts_with("key val: "), "{row}");
    }
}

#[test]
fn altered_operations_are_mismatches() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("operations.jsonl");
    let row = |case: &str, req: Value| json!({"v": "3.13.0", "case": case, "req": req}).to_string();
    let check = |rows: &[String]| {
        std::fs::write(&file, rows.join("\n")).unwrap();
        check_file(&file, None).map(|report| report.totals)
    };
    let rows = [
        row("plain", json!({"96": 1.0})),
        row("vars(o)", json!({"64": 1.0, "96": 1.0})),
        row("vars(o)", json!({"96": 1.0})),
        row("telepathy", json!({"96": 1.0})),
    ];
    assert_eq!(check(&rows).unwrap(), Totals { rows: 4, mismatches: 1, unknown: 1 });
    assert!(check(&[row("plain", json!(3))]).unwrap_err().contains("line 1: key req"));
}

#[test]
fn altered_lives_are_mismatches() {
    let row = |events: Value, gs: Value| json!({"v": "3.13.0", "k": "dict", "n": 1, "ev": events, "gs": gs});
    let (set, touch) = (json!(["set", 0, "a"]), json!(["touch", 0, null]));
    assert_eq!(verdict(row(json!([set, touch]), json!([[48, 296]]))), Verdict::Same);
    assert_eq!(verdict(row(json!([set, ["dream", 0, null]]), json!([[48, 296]]))), Verdict::Unknown);
    for (events, gs) in [
        (json!([set, touch]), json!([[48, 304]])),
        (json!([set, ["replace", 0, ["a"]]]), json!([[48, 296]])),
        (json!([set, ["class", 0, "TypeError: no"]]), json!([[48, 296]])),
        (json!([set, ["del", 0, "b"]]), json!([[48, 296]])),
    ] {
        assert!(matches!(verdict(row(events.clone(), gs)), Verdict::Mismatch(_)), "{events}");
    }
    for events in [json!([["set", 1, "a"]]), json!([["set", 0]]), json!([3]), json!([["set", 0, 3]])] {
        assert!(
            check_row(&row(events.clone(), json!([[48, 296]]))).unwrap_err().starts_with("key ev"),
            "{events}"
        );
    }
}

#[test]
fn altered_classes_are_mismatches() {
    let row = json!({
        "v": "3.13.0", "set": ["n0"], "del": null, "gs": [48, 80], "req": {"80": 1.0},
        "classes": [["A", ["object"], ["a", "a"], null],
                    ["B", ["object"], null, {"slots": true, "weakref_slot": false, "fields": ["f"]}],
                    ["C", ["A", "B"], null, null], ["D", ["C"], null, null], ["E", ["object"], null, null]],
        "t": [[32, 0, 0, 0], [24, 0, 0, 0], "TypeError: multiple bases have instance lay-out conflict", "-",
              [16, 0, -1, -32]],
    });
    let last = row;
    assert_eq!(verdict(last.clone()), Verdict::Same);
    for (key, value) in [
        ("gs", json!([48, 112])),
        ("req", json!({"96": 1.0})),
        ("req", json!({"80": 2.0})),
        ("set", json!(["n0", "n1", "n2"])),
    ] {
        let mut altered = last.clone();
        altered[key] = value;
        assert!(matches!(verdict(altered.clone()), Verdict::Mismatch(_)), "{altered}");
    }
    for (i, outcome) in [(0, json!([24, 0, 0, 0])), (1, json!("TypeError")), (2, json!([16, 0, -1, -32]))] {
        let mut altered = last.clone();
        altered["t"][i] = outcome;
        assert!(matches!(verdict(altered.clone()), Verdict::Mismatch(_)), "{altered}");
    }
    for classes in [json!(3), json!([3]), json!([["A", "object", null]])] {
        let mut altered = last.clone();
        altered["classes"] = classes;
        assert!(check_row(&altered).unwrap_err().starts_with("key classes"), "{altered}");
    }
}

#[test]
fn unknown_kinds_and_versions_are_counted() {
    for (key, value) in [("k", "dict_new"), ("v", "3.16.1"), ("v", "3.12.0t"), ("v", "2.6.9"), ("v", "pypy")]
    {
        let mut row = golden();
        row[key] = json!(value);
        assert_eq!(verdict(row), Verdict::Unknown, "{value}");
    }
}

#[test]
fn malformed_rows_say_what_is_wrong() {
    for (key, value, what) in [
        ("gs", json!([48]), "key gs"),
        ("N", json!(-1), "key N"),
        ("req", json!({"x": 1}), "key req"),
        ("req", Value::Null, "key req"),
        ("v", json!(3), "key v"),
    ] {
        let mut row = golden();
        row[key] = value;
        assert!(check_row(&row).unwrap_err().starts_with(what), "{row}");
    }
    assert!(check_row(&json!({})).is_err());
}

#[test]
fn errors_name_file_and_line() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = folder.join("broken.jsonl");
    std::fs::write(&file, format!("{}\n{{\"v\": \n", golden())).unwrap();
    let error = check_file(&file, None).unwrap_err();
    assert!(error.contains("broken.jsonl: line 2: "), "{error}");
    std::fs::write(&file, "").unwrap();
    assert!(check_file(&file, None).unwrap_err().ends_with("broken.jsonl: no rows"));
    let error = check_file(&folder.join("missing.jsonl"), None).unwrap_err();
    assert!(error.contains("missing.jsonl: "), "{error}");
}

#[test]
fn altered_hierarchies_are_mismatches() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (cases, table) = (folder.join("one_case.json"), folder.join("one_case.jsonl"));
    std::fs::write(
        &cases,
        r#"[[["A", ["object"], ["a"]], ["B", ["object"], ["b"]], ["C", ["A", "B"], null]]]"#,
    )
    .unwrap();
    let check = |conflict: &str, basicsize: u64| {
        let row = json!({
            "c": 0, "v": ["3.13.0", "3.16.0"], "gs": [40, null], "req": {"40": 1},
            "t": [[24, 0, 0, 0], [basicsize, 0, 0, 0], conflict],
        });
        std::fs::write(&table, row.to_string()).unwrap();
        check_file(&table, Some(&cases)).unwrap().totals
    };
    let conflict = "TypeError: multiple bases have instance lay-out conflict";
    assert_eq!(check(conflict, 24), Totals { rows: 2, mismatches: 0, unknown: 1 });
    assert_eq!(check("TypeError", 24).mismatches, 1);
    assert_eq!(check(conflict, 32).mismatches, 1);
}
