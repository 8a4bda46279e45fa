//! Rows of the golden table: a kind of object with N attributes, many of which were made.

use std::collections::BTreeMap;

use cpymem_slots::model::{Footprint, Target};
use serde_json::Value;

use super::kinds::{self, Kind};
use super::{Verdict, counts, number, sizes, text};

/// Objects made before the one that is looked at.
const WARM: usize = 60;

/// How often each size occurs per object. Shuffled objects differ, hence fractions.
type Counts = BTreeMap<u64, f64>;

/// What the model predicts of a row.
struct Prediction {
    requests: Counts,
    blocks: Counts,
    libc_bytes: f64,
    sizes: (u64, Option<u64>),
}

/// Compares a row with the model: getsizeof, requests and blocks exactly, `big` within a byte.
pub(super) fn check(row: &Value) -> Result<Verdict, String> {
    let (kind, n) = (text(row, "k")?, number(row, "N")?);
    let Ok(target) = text(row, "v")?.parse::<Target>() else { return Ok(Verdict::Unknown) };
    let Some(prediction) = predict(kind, n, target) else { return Ok(Verdict::Unknown) };

    let mut wrong = Vec::new();
    let measured = sizes(row)?;
    if measured != prediction.sizes {
        wrong.push(format!("gs {measured:?}, model {:?}", prediction.sizes));
    }
    // 2.7 cannot be asked for its requests.
    if target.version.major > 2 {
        let measured = counts(row, "req")?;
        if !same(&measured, &prediction.requests) {
            wrong.push(format!("req {measured:?}, model {:?}", prediction.requests));
        }
    }
    if target.version.major > 2 && row.get("blk").is_some() {
        let measured = counts(row, "blk")?;
        if !same(&measured, &prediction.blocks) {
            wrong.push(format!("blk {measured:?}, model {:?}", prediction.blocks));
        }
        let measured = row.get("big").and_then(Value::as_f64).ok_or("key big: no number")?;
        if (measured - prediction.libc_bytes).abs() > 1.0 {
            wrong.push(format!("big {measured}, model {}", prediction.libc_bytes));
        }
    }
    if wrong.is_empty() {
        return Ok(Verdict::Same);
    }
    Ok(Verdict::Mismatch(format!("{kind} {n} on {target}: {}", wrong.join("; "))))
}

fn predict(kind: &str, n: u32, target: Target) -> Option<Prediction> {
    if kind == "dict_shuf" {
        return shuffled(n, target);
    }
    if let Some(footprint) = kinds::container(kind, n, target) {
        return Some(Prediction::of(&[footprint], None));
    }
    let Kind { class, live } = Kind::new(kind, n, target)?;
    let last = (0..WARM).map(|_| live(&class)).last()?;
    Some(Prediction::of(&[last.footprint()], None))
}

/// Every object sets its attributes in another order; 500 of them are averaged as in the measurement.
fn shuffled(n: u32, target: Target) -> Option<Prediction> {
    const MEASURED: usize = 500;
    let Kind { class, live } = Kind::new("dict_shuf", n, target)?;
    let next = || live(&class).footprint();
    let early = (1..200).fold(next(), |_, _| next());
    // So many were made before those that were counted; the orders repeat after 64.
    for _ in 0..(2000 + if n <= 32 { 20_000 } else { 5000 }) % 64 {
        next();
    }
    let measured: Vec<Footprint> = (0..MEASURED).map(|_| next()).collect();
    Some(Prediction::of(&measured, Some(&early)))
}

impl Prediction {
    /// The average of some objects; `sizes` are those of the last unless another is given.
    fn of(objects: &[Footprint], sizes: Option<&Footprint>) -> Prediction {
        let n = objects.len() as f64;
        let sized = sizes.unwrap_or(&objects[objects.len() - 1]);
        Prediction {
            requests: average(objects.iter().flat_map(|it| it.requests().to_vec()), n),
            blocks: average(objects.iter().flat_map(Footprint::blocks), n),
            libc_bytes: objects.iter().map(Footprint::libc_bytes).sum::<u64>() as f64 / n,
            sizes: (sized.getsizeof(), sized.getsizeof_dict()),
        }
    }
}

/// Counts per object, rounded as the measurement rounds them: whole if within 0.006, none below 0.02, else
/// to a thousandth.
fn average(counts: impl Iterator<Item = (u64, u64)>, n: f64) -> Counts {
    let mut sum = Counts::new();
    for (size, count) in counts {
        *sum.entry(size).or_default() += count as f64;
    }
    let rounded = sum.into_iter().map(|(size, count)| {
        let count: f64 = count / n;
        let whole = (count - count.round()).abs() < 0.006;
        (size, if whole { count.round() } else { (count * 1000.0).round() / 1000.0 })
    });
    rounded.filter(|&(_, count)| count >= 0.02).collect()
}

fn same(a: &Counts, b: &Counts) -> bool {
    let close = |(x, y): ((&u64, &f64), (&u64, &f64))| x.0 == y.0 && (x.1 - y.1).abs() < 1e-9;
    a.len() == b.len() && a.iter().zip(b).all(close)
}
