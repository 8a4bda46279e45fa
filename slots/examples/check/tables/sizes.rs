//! Rows of the table of built-in sizes: values, containers and their growth, the constants of the allocator.

use cpymem_slots::model::standard::{self, Standard};
use cpymem_slots::model::value::{self, Text};
use cpymem_slots::model::{Class, ClassLayout, Footprint, Keys, Pymalloc, Target, TargetError, container};
use serde_json::{Value, json};

use super::{Verdict, text};

/// What is wrong with a row, or that the model does not have its target.
enum Trouble {
    Malformed(String),
    Unknown,
}

type Outcome<T> = Result<T, Trouble>;

impl From<TargetError> for Trouble {
    fn from(_: TargetError) -> Trouble {
        Trouble::Unknown
    }
}

fn malformed(what: &str) -> Trouble {
    Trouble::Malformed(format!("key val: {what}"))
}

/// Compares a row with the model.
pub(super) fn check(row: &Value) -> Result<Verdict, String> {
    let what = text(row, "what")?;
    let Ok(target) = text(row, "v")?.parse::<Target>() else { return Ok(Verdict::Unknown) };
    let Some(measured) = row.get("val") else { return Err("key val: missing".to_owned()) };
    match differing(what, target, measured) {
        Ok(wrong) if wrong.is_empty() => Ok(Verdict::Same),
        Ok(wrong) => {
            let shown = wrong.iter().take(4).cloned().collect::<Vec<_>>().join("; ");
            Ok(Verdict::Mismatch(format!("{what} on {target}: {} differ: {shown}", wrong.len())))
        }
        Err(Trouble::Unknown) => Ok(Verdict::Unknown),
        Err(Trouble::Malformed(what)) => Err(what),
    }
}

/// What differs.
fn differing(what: &str, target: Target, measured: &Value) -> Outcome<Vec<String>> {
    let gs = |it: Result<Footprint, TargetError>| Ok(it?.getsizeof());
    let grown = |keys| move |n| gs(container::dict(target, n, keys));
    let pairs = |n| gs(container::dict_from_pairs(target, n));
    let copy = |n| gs(container::dict_copy(target, n, Keys::Strings));
    let of_kind = |kind| move |n| gs(value::text(target, kind, n));
    match what {
        "build" => build(target, measured),
        "fixed" => fixed(target, measured),
        "identity" => identity(target, measured),
        "pymalloc" => pymalloc(target, measured),
        "blocks_per_pool" => blocks_per_pool(target, measured),
        "int" => ints(target, measured),
        "long" => samples(measured, &[&|bits| gs(value::long_of_bits(target, bits))], bits),
        "str" => {
            let rows = measured.get("n_ascii_latin1_ucs2_ucs4").ok_or_else(|| malformed("no samples"))?;
            let [ascii, latin, narrow, wide] =
                [Text::Ascii, Text::Latin1, Text::Ucs2, Text::Ucs4].map(of_kind);
            samples(rows, &[&ascii, &latin, &narrow, &wide], whole)
        }
        "unicode" => {
            let [ascii, latin, narrow] = [Text::Ascii, Text::Latin1, Text::Ucs2].map(of_kind);
            samples(measured, &[&ascii, &latin, &narrow], whole)
        }
        "str_utf8_cache" => utf8_cache(target, measured),
        "bytes" | "bytes_str" => samples(measured, &[&|n| gs(value::bytes(target, n))], whole),
        "tuple" => samples(measured, &[&|n| gs(container::tuple(target, n))], whole),
        "list_exact" => samples(measured, &[&|n| gs(container::list_exact(target, n))], whole),
        "list_comp" => samples(measured, &[&|n| gs(container::list_appended(target, n))], whole),
        "list_from_tuple" => samples(measured, &[&|n| gs(container::list_copied(target, n))], whole),
        "list_append" => points(measured, |n| gs(container::list_appended(target, n))),
        "dict_grow_str" | "dict_kwargs" => points(measured, grown(Keys::Strings)),
        "dict_grow_int" => points(measured, grown(Keys::Any)),
        "dict_display_str" => points(measured, |n| gs(container::dict_display(target, n, Keys::Strings))),
        "dict_copy" => points(measured, copy),
        "dict_update" => points(measured, |n| if n == 0 { grown(Keys::Strings)(0) } else { copy(n) }),
        "dict_fromkeys_list" | "dict_zip" => points(measured, pairs),
        "set_grow" => points(measured, |n| gs(container::set(target, n))),
        "vars_1" | "vars_2" | "vars_3" | "vars_60" => {
            let which = what[5..].parse().map_err(|_| Trouble::Unknown)?;
            points(measured, |n| vars(target, which, n))
        }
        _ => Err(Trouble::Unknown),
    }
}

/// `[[n, bytes], ...]`: the bytes from this `n` on.
fn points(measured: &Value, model: impl Fn(u32) -> Outcome<u64>) -> Outcome<Vec<String>> {
    let mut wrong = Vec::new();
    let mut compare = |n: u32, bytes: u64| -> Outcome<()> {
        let model = model(n)?;
        if model != bytes {
            wrong.push(format!("{n}: measured {bytes}, model {model}"));
        }
        Ok(())
    };
    let mut before = None;
    for point in list(measured)? {
        let [n, bytes] = list(point)? else { return Err(malformed("not [n, bytes]")) };
        let (n, bytes) = (whole(n)?, u64::from(whole(bytes)?));
        compare(n, bytes)?;
        if let Some(last) = before.replace(bytes) {
            compare(n.checked_sub(1).ok_or_else(|| malformed("points do not ascend"))?, last)?;
        }
    }
    Ok(wrong)
}

type Model<'m> = &'m dyn Fn(u32) -> Outcome<u64>;

/// `[[n, bytes, ...], ...]`: the bytes at this `n`, a column for each model.
fn samples(
    measured: &Value,
    models: &[Model<'_>],
    number: fn(&Value) -> Outcome<u32>,
) -> Outcome<Vec<String>> {
    let mut wrong = Vec::new();
    for sample in list(measured)? {
        let (n, columns) = list(sample)?.split_first().ok_or_else(|| malformed("an empty sample"))?;
        if columns.len() != models.len() {
            return Err(malformed("a sample of another length"));
        }
        for (bytes, model) in columns.iter().zip(models) {
            let model = model(number(n)?)?;
            if bytes.as_u64() != Some(model) {
                wrong.push(format!("{n}: measured {bytes}, model {model}"));
            }
        }
    }
    Ok(wrong)
}

fn list(value: &Value) -> Outcome<&[Value]> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| malformed("no list"))
}

fn whole(value: &Value) -> Outcome<u32> {
    let number = value.as_u64().and_then(|n| n.try_into().ok());
    number.ok_or_else(|| malformed("no whole number below 2^32"))
}

/// Bits of a decimal number that is written as a text.
fn bits(number: &Value) -> Outcome<u32> {
    let text = number.as_str().ok_or_else(|| malformed("no text"))?;
    let digits: Option<Vec<u32>> = text.trim_start_matches('-').chars().map(|it| it.to_digit(10)).collect();
    let mut digits =
        digits.filter(|it| it.len() <= 1000).ok_or_else(|| malformed("not up to 1000 digits"))?;
    let mut bits = 0;
    while digits.iter().any(|&digit| digit > 0) {
        let mut rest = 0;
        for digit in &mut digits {
            let now = rest * 10 + *digit;
            (*digit, rest) = (now / 2, now % 2);
        }
        bits += 1;
    }
    Ok(bits)
}

fn ints(target: Target, measured: &Value) -> Outcome<Vec<String>> {
    // 2 ** 63 - 1 comes out of a long on 2.7, so it is one there.
    let computed = |number: &Value| target.version.major == 2 && number == "9223372036854775807";
    let rows: Vec<Value> =
        list(measured)?.iter().filter(|row| !row.get(0).is_some_and(computed)).cloned().collect();
    samples(&json!(rows), &[&|bits| Ok(value::int_of_bits(target, bits)?.getsizeof())], bits)
}

/// Texts of ten characters before and after they were asked for their UTF-8 form.
fn utf8_cache(target: Target, measured: &Value) -> Outcome<Vec<String>> {
    let of = |kind, utf8| -> Outcome<[u64; 2]> {
        let text = value::text(target, kind, 10)?.getsizeof();
        Ok([text, text + value::utf8_cache(kind, utf8)])
    };
    let model = json!({
        "ascii": of(Text::Ascii, 10)?, "latin1x10": of(Text::Latin1, 20)?,
        "ucs2x10": of(Text::Ucs2, 30)?, "ucs4x10": of(Text::Ucs4, 40)?,
    });
    Ok(if model == *measured { Vec::new() } else { vec![format!("measured {measured}, model {model}")] })
}

/// getsizeof of the dict of the `which`-th instance with `n` attributes.
fn vars(target: Target, which: usize, n: u32) -> Outcome<u64> {
    let object = ClassLayout::object(target)?;
    let names: Vec<String> = (0..n).map(|i| format!("a{i}")).collect();
    let plain = ClassLayout::new("C", &[&object]).map_err(|_| Trouble::Unknown)?;
    let class = Class::with_static_attributes(&plain, &names);
    let mut alive = Vec::new();
    for _ in 0..which {
        let mut it = class.instance();
        names.iter().try_for_each(|name| it.set(name)).map_err(|_| Trouble::Unknown)?;
        alive.push(it);
    }
    alive.last().and_then(|it| it.footprint().getsizeof_dict()).ok_or(Trouble::Unknown)
}

/// Fields of an object that the model has figures for; others are passed over.
fn fields(measured: &Value, model: &[(&str, Value)]) -> Outcome<Vec<String>> {
    let measured = measured.as_object().ok_or_else(|| malformed("no object"))?;
    let mut wrong = Vec::new();
    for (name, model) in model {
        let measured = measured.get(*name).ok_or_else(|| malformed(&format!("no {name}")))?;
        if measured != model {
            wrong.push(format!("{name}: measured {measured}, model {model}"));
        }
    }
    Ok(wrong)
}

fn build(target: Target, measured: &Value) -> Outcome<Vec<String>> {
    let int = |bits| Ok::<u64, TargetError>(value::int_of_bits(target, bits)?.getsizeof());
    let tuple = |n| Ok::<u64, TargetError>(container::tuple(target, n)?.getsizeof());
    // A number of more bits takes another digit where its size jumps.
    let jumps = (200..300).filter(|&bits| int(bits).ok() != int(bits + 1).ok()).collect::<Vec<_>>();
    let [first, second, ..] = jumps[..] else { return Err(Trouble::Unknown) };
    let digit = json!([second - first, int(second)? - int(first)?]);
    // sys.int_info came with 3.1.
    let digit = if target.version.major == 2 { Value::Null } else { digit };
    fields(
        measured,
        &[
            ("ptr", json!(tuple(2)? - tuple(1)?)),
            ("gil", json!(!target.build.free_threaded)),
            ("digit", digit),
            ("version", json!(target.version.to_string())),
            ("maxunicode", json!(0x10_ffff)),
        ],
    )
}

fn fixed(target: Target, measured: &Value) -> Outcome<Vec<String>> {
    let of = |what| Ok::<_, Trouble>(json!(standard::cost(target, what)?.getsizeof()));
    let mut model = vec![
        ("object", json!(ClassLayout::object(target)?.basicsize())),
        ("float", json!(value::float(target)?.getsizeof())),
        ("set", json!(container::set(target, 0)?.getsizeof())),
        ("frozenset", json!(container::frozenset(target, 0)?.getsizeof())),
    ];
    for (name, what) in [
        ("None", Standard::Singleton),
        ("Ellipsis", Standard::Singleton),
        ("NotImplemented", Standard::Singleton),
        ("False", Standard::False),
        ("True", Standard::True),
        ("complex", Standard::Complex),
        ("date", Standard::Date),
        ("datetime", Standard::DateTime),
        ("timedelta", Standard::TimeDelta),
        ("Decimal", Standard::Decimal),
        ("bytearray", Standard::ByteArray(0)),
        ("bytearray5", Standard::ByteArray(5)),
        ("deque", Standard::Deque(0)),
        ("range", Standard::Range),
        ("slice", Standard::Slice),
        ("function", Standard::Function),
        ("method", Standard::Method),
        ("builtin", Standard::BuiltinFunction),
        ("cell", Standard::Cell),
        ("property", Standard::Property),
        ("member_descriptor", Standard::MemberDescriptor),
        ("module", Standard::Module),
        ("weakref", Standard::Weakref),
    ] {
        model.push((name, of(what)?));
    }
    // An interpreter without its C module has a class with four slots, of two words and these.
    let words = |n: u64| n * if target.build.arch == cpymem_slots::model::Arch::X86_64 { 8 } else { 4 };
    if measured.get("Decimal") == Some(&json!(words(8))) {
        model.retain(|(name, _)| *name != "Decimal");
    }
    fields(measured, &model)
}

/// What is made once for all. A name that `setattr` sets is always interned.
fn identity(target: Target, measured: &Value) -> Outcome<Vec<String>> {
    let once = |it: Result<Footprint, TargetError>| Ok::<_, Trouble>(json!(it?.requests().is_empty()));
    let (first, last) = value::small_ints(target)?;
    fields(
        measured,
        &[
            ("small_int", json!([first, last])),
            ("empty_str", once(value::text(target, Text::Ascii, 0))?),
            ("one_ascii", once(value::text(target, Text::Ascii, 1))?),
            ("latin1_char", once(value::text(target, Text::Latin1, 1))?),
            ("joined_ident", once(value::text(target, Text::Ascii, 3))?),
            ("empty_tuple", once(container::tuple(target, 0))?),
            ("empty_bytes", once(value::bytes(target, 0))?),
            ("one_byte", once(value::bytes(target, 1))?),
            ("empty_frozenset", once(container::frozenset(target, 0))?),
            ("float_const", once(value::float(target))?),
            ("setattr_interns_name", json!(true)),
        ],
    )
}

fn pymalloc(target: Target, measured: &Value) -> Outcome<Vec<String>> {
    let Some(it) = Pymalloc::of(target)? else {
        return fields(measured, &[("arena", Value::Null), ("pool", Value::Null), ("classes", Value::Null)]);
    };
    let written = |bytes: u64| json!(bytes.to_string());
    fields(
        measured,
        &[
            ("arena", written(it.arena_bytes)),
            ("pool", written(it.pool_bytes)),
            ("threshold", written(it.largest_bytes)),
            ("classes", json!([it.alignment_bytes, it.alignment_bytes, it.largest_bytes])),
        ],
    )
}

fn blocks_per_pool(target: Target, measured: &Value) -> Outcome<Vec<String>> {
    let Some(it) = Pymalloc::of(target)? else {
        let none = list(measured)?.is_empty();
        return Ok(if none { Vec::new() } else { vec!["model: no pools".to_owned()] });
    };
    samples(measured, &[&|block| Ok(it.blocks_per_pool(block.into()))], whole)
}
