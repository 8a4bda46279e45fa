//! Sizes of built-in values and containers, and the allocator's constants, against measured interpreters.

#[allow(dead_code, reason = "of the module that reads tables, only the reading is used here")]
#[path = "../examples/check/tables/mod.rs"]
mod tables;

use std::path::Path;

use cpymem_slots::model::value::{self, Text};
use cpymem_slots::model::{Class, ClassLayout, Keys, Target, container};
use serde_json::Value;

/// `[[n, bytes], ...]`: the bytes from this `n` on.
fn points(measured: &Value, model: impl Fn(u32) -> u64) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut before = None;
    for point in measured.as_array().unwrap() {
        let (n, bytes) = (point[0].as_u64().unwrap() as u32, point[1].as_u64().unwrap());
        if model(n) != bytes {
            wrong.push(format!("{n}: measured {bytes}, model {}", model(n)));
        }
        if let Some(last) = before.replace(bytes)
            && model(n - 1) != last
        {
            wrong.push(format!("{}: measured {last}, model {}", n - 1, model(n - 1)));
        }
    }
    wrong
}

/// `[[n, bytes, ...], ...]`: the bytes at this `n`, a column for each model.
fn samples(measured: &Value, models: &[&dyn Fn(u32) -> u64]) -> Vec<String> {
    let mut wrong = Vec::new();
    for sample in measured.as_array().unwrap() {
        let n = sample[0].as_u64().unwrap() as u32;
        for (bytes, model) in sample.as_array().unwrap()[1..].iter().zip(models) {
            if bytes.as_u64() != Some(model(n)) {
                wrong.push(format!("{n}: measured {bytes}, model {}", model(n)));
            }
        }
    }
    wrong
}

/// getsizeof of the dict of the `which`-th instance with `n` attributes.
fn vars(target: Target, which: usize, n: u32) -> u64 {
    let object = ClassLayout::object(target).unwrap();
    let names: Vec<String> = (0..n).map(|i| format!("a{i}")).collect();
    let class = Class::with_static_attributes(&ClassLayout::new("C", &[&object]).unwrap(), &names);
    let make = |_| {
        let mut it = class.instance();
        names.iter().for_each(|name| it.set(name).unwrap());
        it
    };
    let alive: Vec<_> = (0..which).map(make).collect();
    alive[which - 1].footprint().getsizeof_dict().unwrap()
}

/// Bits of a number that JSON holds as text.
fn bits(text: &str) -> u32 {
    let mut digits: Vec<u8> = text.trim_start_matches('-').bytes().map(|b| b - b'0').collect();
    let mut bits = 0;
    while digits.iter().any(|&digit| digit > 0) {
        let mut rest = 0;
        for digit in &mut digits {
            let now = rest * 10 + *digit;
            (*digit, rest) = (now / 2, now % 2);
        }
        bits += 1;
    }
    bits
}

/// What differs in a row; `None` if the model says nothing to it.
fn check(what: &str, target: Target, measured: &Value) -> Option<Vec<String>> {
    let text = |kind| move |n| value::text(target, kind, n).unwrap().getsizeof();
    let bytes = |n| value::bytes(target, n).unwrap().getsizeof();
    let list = |n| container::list_appended(target, n).unwrap().getsizeof();
    let dict = |keys| move |n| container::dict(target, n, keys).unwrap().getsizeof();
    let copy = |n| container::dict_copy(target, n, Keys::Strings).unwrap().getsizeof();
    let ints = |of: &dyn Fn(u32) -> u64| {
        let rows = measured.as_array().unwrap().iter();
        // 2 ** 63 - 1 comes out of a long on 2.7, so it is one there.
        let rows = rows.filter(|row| target.version.major > 2 || row[0] != "9223372036854775807");
        let wrong = rows.filter(|row| row[1].as_u64() != Some(of(bits(row[0].as_str().unwrap()))));
        wrong.map(|row| row.to_string()).collect()
    };
    Some(match what {
        "int" => ints(&|bits| value::int_of_bits(target, bits).unwrap().getsizeof()),
        "long" => ints(&|bits| value::long_of_bits(target, bits).unwrap().getsizeof()),
        "str" => samples(
            &measured["n_ascii_latin1_ucs2_ucs4"],
            &[&text(Text::Ascii), &text(Text::Latin1), &text(Text::Ucs2), &text(Text::Ucs4)],
        ),
        "unicode" => samples(measured, &[&text(Text::Ascii), &text(Text::Latin1), &text(Text::Ucs2)]),
        "str_utf8_cache" => {
            let of = |kind, utf8| [text(kind)(10), text(kind)(10) + value::utf8_cache(kind, utf8)];
            let model = serde_json::json!({
                "ascii": of(Text::Ascii, 10), "latin1x10": of(Text::Latin1, 20),
                "ucs2x10": of(Text::Ucs2, 30), "ucs4x10": of(Text::Ucs4, 40),
            });
            if model == *measured { Vec::new() } else { vec![format!("{measured}, model {model}")] }
        }
        "bytes" | "bytes_str" => samples(measured, &[&bytes]),
        "tuple" => samples(measured, &[&|n| container::tuple(target, n).unwrap().getsizeof()]),
        "list_exact" => samples(measured, &[&|n| container::list_exact(target, n).unwrap().getsizeof()]),
        "list_append" => points(measured, list),
        "dict_grow_str" => points(measured, dict(Keys::Strings)),
        "dict_grow_int" => points(measured, dict(Keys::Any)),
        "dict_display_str" => {
            points(measured, |n| container::dict_display(target, n, Keys::Strings).unwrap().getsizeof())
        }
        "dict_copy" => points(measured, copy),
        "dict_update" => points(measured, |n| if n == 0 { dict(Keys::Strings)(0) } else { copy(n) }),
        "dict_kwargs" => points(measured, dict(Keys::Strings)),
        "set_grow" => points(measured, |n| container::set(target, n).unwrap().getsizeof()),
        "vars_1" | "vars_2" | "vars_3" | "vars_60" => {
            let which = what[5..].parse().unwrap();
            points(measured, |n| vars(target, which, n))
        }
        "identity" => {
            let model = value::small_ints(target).unwrap();
            let same = measured["small_int"] == serde_json::json!([model.0, model.1]);
            if same { Vec::new() } else { vec![format!("{measured}")] }
        }
        "fixed" => {
            let object = ClassLayout::object(target).unwrap();
            let float = value::float(target).unwrap().getsizeof();
            let set = container::set(target, 0).unwrap().getsizeof();
            let model = [("object", object.basicsize()), ("float", float), ("set", set), ("frozenset", set)];
            let wrong = model.iter().filter(|(name, bytes)| measured[name].as_u64() != Some(*bytes));
            wrong.map(|(name, bytes)| format!("{name} {}, model {bytes}", measured[name])).collect()
        }
        _ => return None,
    })
}

#[test]
fn built_in_sizes() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/sizes.jsonl.gz");
    let (mut checked, mut wrong) = (0, Vec::new());
    for line in tables::read(&file).unwrap().lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let (version, what) = (row["v"].as_str().unwrap(), row["what"].as_str().unwrap());
        let Some(differing) = check(what, version.parse().unwrap(), &row["val"]) else { continue };
        checked += 1;
        wrong.extend(differing.into_iter().map(|it| format!("{version} {what} {it}")));
    }
    assert!(wrong.is_empty(), "{} of {checked}: {:#?}", wrong.len(), &wrong[..wrong.len().min(40)]);
    assert!(checked > 300, "{checked}");
    eprintln!("{checked} rows");
}
