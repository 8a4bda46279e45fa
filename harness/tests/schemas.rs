//! Every document of `--json` is as its schema in `schemas/` says, with no key that the schema does not know.

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::samples;
use jsonschema::Validator;
use serde_json::{Map, Value, json};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas")
}

fn schema(name: &str) -> Value {
    let path = folder().join(format!("{name}.json"));
    serde_json::from_slice(&std::fs::read(&path).unwrap())
        .unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The schema with every object closed: others may add keys, this program may not without telling.
fn closed(schema: &Value) -> Value {
    match schema {
        Value::Object(map) => {
            let mut map: Map<String, Value> =
                map.iter().map(|(key, value)| (key.clone(), closed(value))).collect();
            if map.get("properties").is_some_and(Value::is_object)
                && map.get("type") == Some(&json!("object"))
            {
                map.insert("additionalProperties".to_owned(), json!(false));
            }
            Value::Object(map)
        }
        Value::Array(items) => Value::Array(items.iter().map(closed).collect()),
        other => other.clone(),
    }
}

fn validator(name: &str) -> Validator {
    jsonschema::draft202012::new(&closed(&schema(name))).unwrap_or_else(|e| panic!("{name}: {e}"))
}

#[track_caller]
fn assert_valid(validator: &Validator, document: &Value, what: &str) {
    let errors: Vec<String> = validator
        .iter_errors(document)
        .take(5)
        .map(|error| format!("{}: {error}", error.instance_path()).chars().take(300).collect())
        .collect();
    assert!(errors.is_empty(), "{what}:\n{}", errors.join("\n"));
}

fn document(args: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_cpymem")).args(args).arg("--json").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text)
        .unwrap_or_else(|e| panic!("{args:?}: {e}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// The real output of every command that ends within seconds.
fn commands() -> Vec<(&'static str, Vec<String>)> {
    let sample = |file: &str| samples().join(file).to_str().unwrap().to_owned();
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/heaps.py");
    let args = |args: &[&str]| args.iter().map(|&arg| arg.to_owned()).collect::<Vec<_>>();
    let (flask, leaky) = (sample("flask.pmt.gz"), sample("leaky.heap.jsonl.gz"));
    let (profiles, threads) = (sample("profiles.heap.jsonl.gz"), sample("threads.heap.jsonl.gz"));
    vec![
        ("replay", args(&["replay", &flask, "--repeat", "1"])),
        ("heap", args(&["heap", &leaky])),
        ("heap", args(&["heap", &profiles, "--by", "owner"])),
        ("heap-rebuild", args(&["heap", &threads, "--rebuild"])),
        ("why", args(&["why", &leaky, "w_leaky.Listener"])),
        ("pins", args(&["pins", &profiles])),
        ("audit", args(&["audit", &threads])),
        ("dups", args(&["dups", &leaky])),
        ("diff", args(&["diff", &profiles, &threads, &leaky])),
        ("slots-heap", args(&["slots", "--heap", &profiles])),
        ("slots", args(&["slots", "--attrs", "a,b,c"])),
        ("slots", args(&["slots", python.to_str().unwrap()])),
        ("explain", args(&["explain", &leaky])),
        ("explain", args(&["explain", &threads, &profiles, "--cost", "latency"])),
        ("main", args(&["bench", "replay-flask", "collect-threads", "--repeat", "1"])),
        ("main", args(&["bench", "recycling", "class-layouts", "--scale", "0.02", "--repeat", "1"])),
        ("bench-list", args(&["bench", "--list"])),
        ("bench-list", args(&["bench", "cyclegc", "--list"])),
        ("bench-list", args(&["bench", "allocator", "--list"])),
        (
            "bench-allocator",
            args(&["bench", "allocator", "--filter", "churn", "--scale", "0.01", "--alternations", "3"]),
        ),
        ("bench-memory", args(&["bench", "memory", &flask, "--blocks", "2000"])),
        ("dump", args(&["dump", "--helper"])),
    ]
}

#[test]
fn documents_are_as_their_schemas_say() {
    for (name, args) in commands() {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let document = document(&args);
        assert_valid(&validator(name), &document, &format!("{name} {args:?}"));
        if let Some(schema) = document.get("schema") {
            let command = args[0];
            let of_parts = ["main", "bench-allocator", "bench-memory"].contains(&name);
            let expected = if of_parts { name } else { command };
            assert_eq!(schema, &json!(format!("cpymem.{expected}/1")));
        }
    }
}

#[test]
fn a_document_that_is_wrong_is_found() {
    let args = ["explain", samples().join("leaky.heap.jsonl.gz").to_str().unwrap()].map(str::to_owned);
    let good = document(&args.each_ref().map(String::as_str));
    let validator = validator("explain");
    let with = |change: &dyn Fn(&mut Value)| {
        let mut document = good.clone();
        change(&mut document);
        document
    };
    assert!(validator.is_valid(&good));
    let wrong: [&dyn Fn(&mut Value); 7] = [
        &|it| it["schema"] = json!("cpymem.explain/2"),
        &|it| it["layer"] = json!("weather"),
        &|it| it["rss_bytes"]["garbage"] = json!(-1),
        &|it| it["rss_bytes"]["garbage"] = json!("none"),
        &|it| it["step"] = json!({"action": "x"}),
        &|it| it["secret"] = json!(1),
        &|it| it["remedies"][0]["risks"]["latency"] = json!(null),
    ];
    for (k, change) in wrong.iter().enumerate() {
        assert!(!validator.is_valid(&with(change)), "change {k} was not found");
    }
    assert!(validator.is_valid(&with(&|it| it["rss_bytes"]["garbage"] = json!(null))), "unknown is null");
}

#[test]
fn every_schema_is_valid_and_used() {
    let used: Vec<&str> = commands().into_iter().map(|(name, _)| name).collect();
    // Written by parts of other documents, by a command that needs valgrind, or by one that needs a saved run.
    let elsewhere = ["profiles", "bench-growth", "against"];
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        if path.extension().is_some_and(|extension| extension == "json") {
            assert!(jsonschema::meta::is_valid(&schema(name)), "{name} is no schema");
            assert_eq!(schema(name)["$schema"], "https://json-schema.org/draft/2020-12/schema");
            validator(name);
            assert!(used.contains(&name) || elsewhere.contains(&name), "{name} is never tested");
        }
    }
}

#[test]
fn a_comparison_of_two_runs_is_as_its_schema_says() {
    let file = std::env::temp_dir().join(format!("cpymem-schemas-{}.json", std::process::id()));
    let quick = ["bench", "recycling", "--scale", "0.02", "--repeat", "1"];
    let saved = document(&[&quick[..], &["--save", file.to_str().unwrap()]].concat());
    assert_valid(&validator("main"), &saved, "saved");
    // Another run, with one count that is another and one that was nothing before.
    let mut other = saved;
    for (count, value) in [(0, 7), (1, 0)] {
        other["workloads"][0]["subjects"][0]["counts"][count]["value"] = json!(value);
    }
    std::fs::write(&file, other.to_string()).unwrap();
    let compared = document(&[&quick[..], &["--against", file.to_str().unwrap()]].concat());
    std::fs::remove_file(&file).unwrap();
    assert!(!compared["differences"].as_array().unwrap().is_empty(), "{compared}");
    assert_valid(&validator("against"), &compared, "against");
}

/// What needs a million profiles or valgrind is checked in the form that the library gives it.
#[test]
fn parts_of_documents_are_as_their_schemas_say() {
    let record = cpymem_harness::profiles::profiles(1000, &cpymem_harness::progress::Progress::silent());
    assert_valid(&validator("profiles"), &serde_json::to_value(record).unwrap(), "profiles");
    let growth = json!({"schema": "cpymem.bench-growth/1", "live": [1000], "growths": [
        {"allocator": "cpymem", "instructions": [20.5], "spread": null, "failure": null}]});
    assert_valid(&validator("bench-growth"), &growth, "bench growth");
}
