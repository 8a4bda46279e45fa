//! The program as a user runs it: documents, exit codes, one line on an error.

mod common;

use std::io::Write;
use std::process::{Command, Output, Stdio};

use common::folder::Folder;
use common::{gzip, samples};
use flate2::read::MultiGzDecoder;
use serde_json::Value;

fn cpymem(args: &[&str]) -> Output {
    cpymem_on(args, b"")
}

fn cpymem_on(args: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_cpymem"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that does not read its input closes it.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn sample(file: &str) -> String {
    samples().join(file).to_str().unwrap().to_owned()
}

fn unzipped(file: &str) -> Vec<u8> {
    let mut text = Vec::new();
    let bytes = std::fs::read(sample(file)).unwrap();
    std::io::Read::read_to_end(&mut MultiGzDecoder::new(&bytes[..]), &mut text).unwrap();
    text
}

/// The document that a program printed, all of whose claims hold.
#[track_caller]
fn json(output: &Output) -> Value {
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let document = serde_json::from_slice(&output.stdout).unwrap();
    let mut broken = Vec::new();
    broken_checks(&document, &mut broken);
    assert!(output.status.success() && broken.is_empty(), "{}: {broken:#?}", output.status);
    document
}

/// The checks of a document that do not hold.
fn broken_checks<'d>(value: &'d Value, broken: &mut Vec<&'d Value>) {
    if value["holds"] == false {
        broken.push(value);
    }
    match value {
        Value::Array(values) => values.iter().for_each(|value| broken_checks(value, broken)),
        Value::Object(values) => values.values().for_each(|value| broken_checks(value, broken)),
        _ => {}
    }
}

/// Standard output is empty, standard error one line that starts as said, the exit code is 1.
#[track_caller]
fn assert_broken(output: &Output, start: &str, part: &str) {
    let line = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(1), "{line}");
    assert!(output.stdout.is_empty());
    assert!(line.ends_with('\n') && line.lines().count() == 1, "{line}");
    assert!(line.starts_with(start) && line.contains(part), "{line}\nshould start {start}\nand say {part}");
}

#[test]
fn the_main_job_holds_what_it_claims() {
    let document = json(&cpymem(&["--json", "--repeat", "1"]));
    assert_eq!(document["schema"], "cpymem.main/1");
    assert_eq!(document["input"].as_array().unwrap().len(), 7);
    let layers: Vec<&str> = document["replays"]
        .as_array()
        .unwrap()
        .iter()
        .map(|replay| replay["verdict"]["layer"].as_str().unwrap())
        .collect();
    assert_eq!(layers, ["allocator", "lifetime", "collector", "elsewhere"]);
    assert_eq!(document["profiles"]["count"], 1_000_000);
    assert_eq!(document["profiles"]["layouts"].as_array().unwrap().len(), 3);
}

#[test]
fn workloads_are_listed_and_run_by_name() {
    let list = String::from_utf8(cpymem(&["bench", "--list"]).stdout).unwrap();
    // A page each: the name at its head, indented lines below, a blank one at its end.
    let names: Vec<&str> = list.lines().filter(|line| !line.is_empty() && !line.starts_with(' ')).collect();
    assert!(names.len() >= 8 && names.contains(&"profiles") && names.contains(&"collect-threads"), "{list}");
    let listed: Value = serde_json::from_slice(&cpymem(&["bench", "--list", "--json"]).stdout).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), names.len());

    let output = cpymem(&["bench", "collect-threads"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.starts_with("COLLECT threads: "), "{text}");
    assert!(!text.contains('\x1b') && text.ends_with("3 of 3 checks hold\n"), "{text}");

    let unknown = cpymem(&["bench", "nonsense"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unknown.stderr).starts_with("cpymem: there is no workload 'nonsense'"));
}

#[test]
fn a_replay_is_a_document_with_the_keys_that_others_rely_on() {
    let path = sample("flask.pmt.gz");
    let document = json(&cpymem(&["replay", &path, "--json", "--repeat", "1"]));
    assert_eq!(document["schema"], "cpymem.replay/1");
    let input = &document["input"][0];
    assert_eq!([&input["path"], &input["form"], &input["python"]], [path.as_str(), "PMTRACE 1", "3.12.1"]);
    assert_eq!(input["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(document["events"], 172_003);
    assert_eq!(document["deaths"]["count"], 47_839);
    assert_eq!(document["deaths"]["collector"], 81);
    let last = &document["phases"][3];
    assert_eq!([&last["index"], &last["pools_model"], &last["pools_recorded"]], [3, 228, 228]);
    assert_eq!(last["label"], "slice 3");
    assert!(document["phases"][0]["rss_bytes"].is_null(), "unknown is null, never 0");
    for (backend, name) in
        document["backends"].as_array().unwrap().iter().zip(["cpymem", "pymalloc", "system"])
    {
        assert_eq!(backend["name"], name);
        assert!(backend["ns_per_event"].as_f64().unwrap() > 0.0);
        assert!(backend["peak_held_bytes"].is_u64() && backend["end_held_bytes"].is_u64());
    }
}

#[test]
fn a_heap_is_a_document_with_the_keys_that_others_rely_on() {
    let document = json(&cpymem(&["--json", "heap", &sample("profiles.heap.jsonl.gz")]));
    assert_eq!(document["schema"], "cpymem.heap/1");
    assert_eq!((&document["objects"], &document["tracked"]), (&36_312.into(), &12_278.into()));
    assert_eq!(document["garbage"]["found"], 1_200);
    assert_eq!(document["garbage"]["recorded"], 1_200);
    let types = document["types"].as_array().unwrap();
    let class = types.iter().find(|class| class["name"] == "w_profiles.D").unwrap();
    assert_eq!([&class["count"], &class["garbage_count"]], [2_000, 1_000]);
    assert!(class["own_bytes"].as_u64() > Some(0) && class["retained_bytes"].as_u64() > Some(0));
    assert!(document["owners"].is_null());

    let rebuilt = json(&cpymem(&["--json", "heap", "--rebuild", &sample("profiles.heap.jsonl.gz")]));
    for key in ["schema", "objects", "tracked", "edges", "own_bytes"] {
        assert_eq!(document[key], rebuilt[key], "{key}");
    }
    assert_eq!(rebuilt["garbage"]["found"], 1_200);
}

#[test]
fn questions_about_a_heap_are_documents() {
    let leaky = sample("leaky.heap.jsonl.gz");
    let (profiles, hidden) = (sample("profiles.heap.jsonl.gz"), sample("hidden.heap.jsonl.gz"));
    let asked: [(&[&str], &str, &str); 7] = [
        (&["heap", &leaky, "--by", "owner"], "cpymem.heap/1", "owners"),
        (&["why", &leaky, "Session"], "cpymem.why/1", "objects"),
        (&["pins", &leaky], "cpymem.pins/1", "arenas"),
        (&["audit", &hidden], "cpymem.audit/1", "holders"),
        (&["dups", &leaky], "cpymem.dups/1", "groups"),
        (&["diff", &leaky, &leaky], "cpymem.diff/1", "owners"),
        (&["slots", "--heap", &profiles], "cpymem.slots/1", "classes"),
    ];
    for (args, schema, list) in asked {
        let document = json(&cpymem(&[args, &["--json"]].concat()));
        assert_eq!(document["schema"], schema);
        assert_eq!(
            document["input"][0]["path"],
            args.iter().find(|arg| arg.ends_with(".gz")).copied().unwrap()
        );
        assert_eq!(document["input"][0]["form"], "PYHEAP 2");
        assert_eq!(document["input"][0]["sha256"].as_str().map(str::len), Some(64));
        assert_eq!(document[list].as_array().unwrap().is_empty(), args[0] == "diff", "{args:?}");
        let text = cpymem(args);
        assert!(text.status.success() && text.stderr.is_empty() && text.stdout.len() > 100, "{args:?}");
    }
    let unknown = cpymem(&["why", &leaky, "NoSuchType"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(unknown.stdout.is_empty());
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("has no object that 'NoSuchType' names"));
    assert_broken(&cpymem(&["dups", &profiles]), &format!("cpymem: {profiles}: line 1: "), "no hashes");
}

#[test]
fn standard_input_and_plain_text_are_read_alike() {
    let zipped = std::fs::read(sample("threads.heap.jsonl.gz")).unwrap();
    let plain = unzipped("threads.heap.jsonl.gz");
    for (bytes, path) in [(&zipped, "-"), (&plain, "-")] {
        let document = json(&cpymem_on(&["heap", path, "--json"], bytes));
        assert_eq!(document["garbage"]["found"], 3_124);
        assert_eq!(document["input"][0]["path"], "-");
    }
    let document = json(&cpymem_on(&["replay", "-", "--json", "--repeat", "1"], &unzipped("flask.pmt.gz")));
    assert_eq!(document["events"], 172_003);
}

#[test]
fn a_claim_that_does_not_hold_exits_with_1() {
    let folder = Folder::new("claim");
    let text = String::from_utf8(unzipped("threads.heap.jsonl.gz")).unwrap();
    let lie = text.replace("\"gc_collected_after\": 3124", "\"gc_collected_after\": 3125");
    assert_ne!(text, lie);
    let output = cpymem(&["heap", &folder.file("lie.heap.jsonl", lie.as_bytes())]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text.contains("BROKEN garbage found is what gc.collect() found: expected 3125, saw 3124"),
        "{text}"
    );
}

#[test]
fn inputs_that_cannot_be_used_get_one_line() {
    let folder = Folder::new("inputs");
    let trace = std::fs::read(sample("flask.pmt.gz")).unwrap();
    let dump = std::fs::read(sample("threads.heap.jsonl.gz")).unwrap();
    let text = unzipped("flask.pmt.gz");
    let missing = folder.as_path().join("missing").to_str().unwrap().to_owned();
    let directory = folder.as_path().to_str().unwrap().to_owned();
    let cases = [
        ("replay", missing, "offset 0", "cannot open"),
        ("heap", directory, "offset 0", "is a directory"),
        ("replay", folder.file("empty", b""), "offset 0", "is empty"),
        ("heap", folder.file("empty.gz", gzip(b"")), "", "empty"),
        ("replay", folder.file("half.gz", &trace[..trace.len() / 2]), "offset", ""),
        ("heap", folder.file("half-dump.gz", &dump[..dump.len() / 2]), "", ""),
        ("replay", folder.file("cut", &text[..text.len() - 1]), "", ""),
        ("replay", folder.file("version", b"PMTRACE 2\n{}\n"), "offset 0", "version"),
        ("heap", folder.file("form", b"{\"form\": \"PYHEAP 3\"}\n"), "line 1", "version"),
        ("replay", sample("threads.heap.jsonl.gz"), "offset 0", "PMTRACE"),
        ("heap", sample("flask.pmt.gz"), "line 1", ""),
    ];
    for (command, path, place, part) in cases {
        for options in [&[][..], &["--json"][..]] {
            let args: Vec<&str> = [&[command, path.as_str()], options].concat();
            assert_broken(&cpymem(&args), &format!("cpymem: {path}: {place}"), part);
        }
    }
    assert_broken(&cpymem_on(&["heap", "-"], b""), "cpymem: -: offset 0", "empty");
}

#[test]
fn objects_that_contradict_their_counts_are_refused() {
    let folder = Folder::new("counts");
    let head = "{\"form\": \"PYHEAP 2\"}\n";
    let tail = "{\"type\":{\"id\":0,\"name\":\"t\"}}\n";
    let end = |objects: u32, edges: u32| {
        format!(
            "{{\"end\":{{\"objects\":{objects},\"bytes\":64,\"edges\":{edges},\"gc_collected_after\":0,\"seconds\":0}}}}\n"
        )
    };
    // Object 1 has one reference, but object 0 reports two.
    let rows = "[0,0,32,1,1,0,[1,1]]\n[1,0,32,1,1,0,[]]\n";
    let path = folder.file("few", format!("{head}{rows}{tail}{}", end(2, 2)).as_bytes());
    assert_broken(&cpymem(&["heap", &path]), &format!("cpymem: {path}: line 3: "), "counts 1 references");
    let path = folder.file("none", format!("{head}[0,0,32,1,0,0,[]]\n{tail}{}", end(1, 0)).as_bytes());
    assert_broken(&cpymem(&["heap", &path]), &format!("cpymem: {path}: line 2: "), "no references");
    // A count that the collector would take for an immortal object's.
    let path =
        folder.file("many", format!("{head}[0,0,32,1,2147483646,0,[]]\n{tail}{}", end(1, 0)).as_bytes());
    assert_broken(
        &cpymem(&["heap", "--rebuild", &path]),
        &format!("cpymem: {path}: line 2: "),
        "2147483646 references",
    );
    assert!(cpymem(&["heap", &path]).status.success(), "nothing is made for a count");
}

#[test]
fn a_trace_that_would_take_too_much_memory_is_refused() {
    use common::writer::{Block, Writer, varint};
    let folder = Folder::new("memory");
    let mut writer = Writer::new(false, 1);
    let columns = [vec![0x10, 0x13], varint(1 << 40), vec![0], vec![], vec![]];
    writer.blocks.push(Block { events: 2, columns });
    (writer.events, writer.allocations) = (2, 1);
    let mut bytes = writer.head();
    bytes.extend(writer.blocks[0].bytes());
    let path = folder.file("huge", &bytes);
    assert_broken(&cpymem(&["replay", &path]), &format!("cpymem: {path}: event 2: "), "would hold 1.0 TiB");
}

#[test]
fn usage_errors_exit_with_2() {
    for args in [
        &["--nonsense"][..],
        &["replay"],
        &["heap", "a", "b"],
        &["heap", "a", "--by", "owner", "--rebuild"],
        &["diff", "a"],
        &["why", "a"],
        &["slots", "x.py", "--heap", "a"],
        &["replay", "x", "--max-memory", "1Q"],
    ] {
        let output = cpymem(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{args:?}");
    }
    assert!(cpymem(&["--help"]).status.success() && cpymem(&["--version"]).status.success());
}
