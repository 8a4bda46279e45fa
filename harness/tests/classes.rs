//! `cpymem slots`: what it says to ordinary programs, and that hostile ones end in one line.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

fn cpymem(arguments: &[&str], stdin: &[u8]) -> Output {
    let mut child = Command::new(PathBuf::from(env!("CARGO_BIN_EXE_cpymem")))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let stdin = stdin.to_vec();
    let writer = std::thread::spawn(move || drop(input.write_all(&stdin)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

fn classes(source: &str) -> Value {
    let output = cpymem(&["slots", "-", "--json", "--count", "1000"], source.as_bytes());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn on<'a>(class: &'a Value, python: &str) -> &'a Value {
    class["versions"].as_array().unwrap().iter().find(|it| it["python"] == python).unwrap()
}

#[test]
fn a_class_of_the_command_line() {
    let output = cpymem(&["slots", "--attrs", "name,age,api_token", "--json"], b"");
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["schema"], "cpymem.slots/1");
    let class = &document["classes"][0];
    for (python, dict, slots) in [("3.8", 160, 64), ("3.11", 112, 64), ("3.12", 96, 64), ("3.13", 96, 64)] {
        assert_eq!(
            (&on(class, python)["dict_bytes"], &on(class, python)["slots_bytes"]),
            (&dict.into(), &slots.into())
        );
    }
    assert_eq!(cpymem(&["slots"], b"").status.code(), Some(2));
    assert_eq!(cpymem(&["slots", "--attrs", "a", "--python", "3.99"], b"").status.code(), Some(2));
}

#[test]
fn attributes_are_those_that_methods_assign() {
    let document = classes(
        "class A:\n    def __init__(self, x):\n        self.b = x\n        self.c, (self.d, *self.e) = x\n\
         \x20   def f(self):\n        for self.loop in []:\n            with x as self.w: self.b += 1\n        self.x.y = 1\n",
    );
    let names: Vec<&str> =
        document["classes"][0]["attributes"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(names, ["b", "c", "d", "e", "loop", "w"]);
}

#[test]
fn a_safe_dataclass_gets_a_diff_and_others_do_not() {
    let source = "from dataclasses import dataclass\n@dataclass(frozen=True)\nclass A:\n    x: int = 0\n\n@dataclass\nclass B(A):\n    y: int = 0\n\n@dataclass\nclass C:\n    z: int = 0\n";
    let document = classes(source);
    let diffs: Vec<&Value> = document["classes"].as_array().unwrap().iter().map(|it| &it["diff"]).collect();
    assert!(diffs[0].is_null() && diffs[1].is_null());
    assert!(diffs[2].as_str().unwrap().ends_with("-@dataclass\n+@dataclass(slots=True)\n"), "{}", diffs[2]);
}

#[test]
fn errors_are_those_of_cpython() {
    let document =
        classes("class A:\n    __slots__ = ('a',)\n    a = 1\nclass B(int):\n    __slots__ = ('x',)\n");
    let errors = |i: usize, python| on(&document["classes"][i], python)["error"].as_str().map(str::to_owned);
    assert_eq!(errors(0, "3.12").unwrap(), "ValueError: 'a' in __slots__ conflicts with class variable");
    assert_eq!(errors(0, "2.7"), None);
    let refused = "TypeError: nonempty __slots__ not supported for subtype of 'int'";
    assert_eq!(errors(1, "3.8").unwrap(), refused);
}

#[test]
fn hostile_programs_end_in_one_line() {
    let big = |text: &str| text.repeat((10 << 20) / text.len()).into_bytes();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("syntax", b"class A:\n    def\n".to_vec()),
        ("nul", b"class A: pass\n\0".to_vec()),
        ("not utf-8", b"x = 1\ny = '\xff'\n".to_vec()),
        ("brackets", big("(")),
        ("prefixes", big("not ")),
        ("lambdas", big("lambda: ")),
        ("chain", [b"a".to_vec(), big(".b")].concat()),
        ("sum", [b"a".to_vec(), big("+1")].concat()),
        ("f-strings", [b"f'".to_vec(), big("{("), b"'".to_vec()].concat()),
        ("classes", big("class A: pass\n")),
    ];
    for (name, source) in cases {
        let begin = Instant::now();
        let output = cpymem(&["slots", "-"], &source);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{name}: {error}");
        assert!(output.stdout.is_empty(), "{name}");
        assert!(
            error.starts_with("cpymem: -: line ") && error.trim_end().lines().count() == 1,
            "{name}: {error}"
        );
        assert!(begin.elapsed() < Duration::from_secs(30), "{name}: {:?}", begin.elapsed());
    }
    let output = cpymem(&["slots", "-"], &big("x = [1, -2, {'a': 'b'}]\n"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A quarter of a gigabyte of address space is enough, also for the deepest text that is let through.
#[cfg(unix)]
#[test]
fn little_address_space_is_enough() {
    let deepest = format!("class A:\n    x = {}1{}\n", "(not - - - - - - - -".repeat(200), ")".repeat(200));
    let many =
        "class A:\n    def __init__(self):\n        self.a = self.b = [1, -2, {'a': 'b'}]\n".repeat(15_000);
    for (name, source) in [("deepest", deepest), ("many", many)] {
        let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.py"));
        std::fs::write(&file, source).unwrap();
        let output = Command::new("sh")
            .args(["-c", "ulimit -v 262144 && exec \"$0\" slots \"$1\" --python 3.13 --json"])
            .args([PathBuf::from(env!("CARGO_BIN_EXE_cpymem")), file])
            .output()
            .unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(document["classes"][0]["name"], "A", "{name}");
    }
}
