//! `cpymem slots`: what it says to ordinary programs, and that hostile ones end in one line.

#![cfg(unix)]

mod common;

use std::io::Write;
use std::path::PathBuf;
use std::process::{Output, Stdio};

use serde_json::Value;

/// Runs the program, for which two minutes of processor time are enough, whatever it is given.
fn cpymem(arguments: &[&str], stdin: &[u8]) -> Output {
    let mut child = common::limited("ulimit -t 120")
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

/// `__slots__` of any value, as CPython takes it.
#[test]
fn slots_of_any_value() {
    for (written, python, error) in [
        ("('a', 5)", "3.12", Some("TypeError: __slots__ items must be strings, not 'int'")),
        ("None", "3.12", Some("TypeError: 'NoneType' object is not iterable")),
        ("b'ab'", "3.12", Some("TypeError: __slots__ items must be strings, not 'int'")),
        ("b'ab'", "2.7", None),
        ("'ab'", "3.12", None),
        ("('a b',)", "3.8", Some("TypeError: __slots__ must be identifiers")),
        ("('é',)", "3.8", None),
        ("{'a': 'doc'}", "3.8", None),
        (
            "7",
            "2.7",
            Some("TypeError: Error when calling the metaclass bases\n    'int' object is not iterable"),
        ),
    ] {
        let document = classes(&format!("class A:\n    __slots__ = {written}\n"));
        let version = on(&document["classes"][0], python);
        assert_eq!(version["error"].as_str(), error, "{written} on {python}");
        assert_eq!(version["declared_bytes"].is_null(), error.is_some(), "{written} on {python}");
    }
}

#[test]
fn dataclasses_as_their_version_makes_them() {
    let document = classes(
        "from dataclasses import dataclass\n@dataclass(slots=True)\nclass B:\n    a: int\n\
         @dataclass(slots=True)\nclass C(B):\n    b: int\n\
         @dataclass(slots=True, weakref_slot=True)\nclass D:\n    __slots__ = ('a',)\n    a: int\n",
    );
    let [_, derived, wrong] = document["classes"].as_array().unwrap().as_slice() else {
        panic!("{document}")
    };
    // 3.10 makes a slot of the inherited field once more.
    for (python, bytes) in [("3.10", 64), ("3.11", 48), ("3.13", 48)] {
        assert_eq!(on(derived, python)["declared_bytes"], bytes, "{python}");
    }
    let refused = "TypeError: dataclass() got an unexpected keyword argument 'slots'";
    assert_eq!(on(derived, "3.9")["error"], refused);
    assert!(on(derived, "3.6")["error"].as_str().unwrap().contains("dataclasses, which came with 3.7"));
    assert_eq!(on(wrong, "3.12")["error"], "TypeError: D already specifies __slots__");
}

#[test]
fn built_in_bases_are_known() {
    let document = classes(
        "import typing\nclass Failed(ValueError):\n    def __init__(self, code, why):\n        self.code = code\n        self.why = why\n\
         class Row(typing.NamedTuple):\n    a: int\n    b: str\n    c: str = ''\n\
         class Gone(OSError):\n    pass\n",
    );
    let [failed, row, gone] = document["classes"].as_array().unwrap().as_slice() else {
        panic!("{document}")
    };
    // As the measured kind of exceptions with two attributes.
    assert_eq!(on(failed, "3.8")["declared_bytes"], 208);
    assert_eq!(on(failed, "3.12")["declared_bytes"], 304);
    assert!(failed["notes"].as_array().unwrap().is_empty(), "{failed}");
    assert_eq!(row["attributes"].as_array().unwrap().len(), 3);
    for (python, bytes) in [("3.8", 80), ("3.13", 80), ("3.14", 80)] {
        assert_eq!(on(row, python)["declared_bytes"], bytes, "{python}");
        assert_eq!(on(row, python)["named_tuple_bytes"], bytes, "{python}");
    }
    assert!(gone["notes"][0].as_str().unwrap().starts_with("base OSError is not in this file"), "{gone}");
}

#[test]
fn long_and_tangled_hierarchies() {
    // A thousand generations, a slot each.
    let mut chain = "class C0:\n    __slots__ = ('a0',)\n".to_owned();
    (1..1000).for_each(|i| chain.push_str(&format!("class C{i}(C{}):\n    __slots__ = ('a{i}',)\n", i - 1)));
    let document = classes(&chain);
    let last = &document["classes"][999];
    assert_eq!(last["attributes"].as_array().unwrap().len(), 1000);
    // 16 + 8,000 bytes and a GC header: a chunk of libc's.
    assert_eq!(on(last, "3.13")["declared_bytes"], 8048);

    // Bases in a circle, and bases whose orders contradict each other.
    let document = classes("class A(B): pass\nclass B(A): pass\nclass C(C): pass\n");
    let note = |i: usize| document["classes"][i]["notes"][0].as_str().unwrap_or("").to_owned();
    assert!(note(0).contains("NameError: name 'B' is not defined"), "{}", note(0));
    assert!(note(2).contains("NameError: name 'C' is not defined"), "{}", note(2));
    let document = classes("class X: pass\nclass Y(X): pass\nclass Z(X, Y): pass\nclass W(X, X): pass\n");
    let error = |i: usize| on(&document["classes"][i], "3.13")["error"].as_str().unwrap().to_owned();
    assert_eq!(
        error(2),
        "TypeError: Cannot create a consistent method resolution order (MRO) for bases X, Y"
    );
    assert_eq!(error(3), "TypeError: duplicate base class X");
}

/// A hundred thousand attributes, a name of a megabyte.
#[test]
fn huge_classes() {
    let mut many = "class A:\n    def __init__(self):\n".to_owned();
    (0..100_000).for_each(|i| many.push_str(&format!("        self.a{i} = 0\n")));
    let document = classes(&many);
    assert_eq!(on(&document["classes"][0], "3.13")["slots_bytes"], 16 + 16 + 8 * 100_000 + 16);
    let name = "n".repeat(1 << 20);
    let document = classes(&format!("class {name}:\n    __slots__ = ('{name}',)\n"));
    assert_eq!(on(&document["classes"][0], "3.13")["declared_bytes"], 48);
}

#[test]
fn cliffs_are_told_once_with_their_bytes() {
    let source = "class A:\n    __slots__ = ('a', 'b')\nclass B(A):\n    __slots__ = ('b', 'c')\n";
    let output = cpymem(&["slots", "-"], source.as_bytes());
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.matches("slots listed twice or in a base, too: b").count(), 1, "{text}");
    assert!(text.contains("64 bytes on 3.8-3.13 3.13t 3.14-3.15"), "{text}");
    assert!(text.contains("\nWHAT SLOTS WOULD SAVE on CPython 3.15"), "{text}");
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
        let output = cpymem(&["slots", "-"], &source);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{name}: {}: {error}", output.status);
        assert!(output.stdout.is_empty(), "{name}");
        assert!(
            error.starts_with("cpymem: -: line ") && error.trim_end().lines().count() == 1,
            "{name}: {error}"
        );
    }
    let output = cpymem(&["slots", "-"], &big("x = [1, -2, {'a': 'b'}]\n"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A quarter of a gigabyte of address space is enough, also for the deepest text that is let through.
#[test]
fn little_address_space_is_enough() {
    let deepest = format!("class A:\n    x = {}1{}\n", "(not - - - - - - - -".repeat(200), ")".repeat(200));
    let many =
        "class A:\n    def __init__(self):\n        self.a = self.b = [1, -2, {'a': 'b'}]\n".repeat(15_000);
    for (name, source) in [("deepest", deepest), ("many", many)] {
        let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.py"));
        std::fs::write(&file, source).unwrap();
        let output = common::limited("ulimit -v 262144")
            .args(["slots", file.to_str().unwrap(), "--python", "3.13", "--json"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(document["classes"][0]["name"], "A", "{name}");
    }
}
