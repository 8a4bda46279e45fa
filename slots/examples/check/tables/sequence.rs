//! Rows of the sequence table: what instances 1 to 45 of a fresh class cost, one by one.

use cpymem_slots::model::{Instance, Keys, Target, container};
use serde_json::Value;

use super::kinds::Kind;
use super::{Verdict, number, text};

/// Bytes that the call of the class requests and leaves to CPython's free lists, which each instance finds empty
/// in this measurement: a call with `**names` fills a dict first (`DICT_MERGE`, from 3.9 on; 3.11 and 3.12 make a
/// second one), whose table is parked, too, if it has the smallest size and the instance has not parked one.
fn parked_by_call(kind: &str, n: u32, target: Target, instance: &Instance<'_>) -> Option<u64> {
    let version = (target.version.major, target.version.minor);
    if kind != "dict_kw" || version < (3, 9) {
        return Some(0);
    }
    let bytes = |n| Some(container::dict(target, n, Keys::Strings).ok()?.requested_bytes());
    let (object, with_table) = (bytes(0)?, bytes(1)?);
    let objects = if version == (3, 11) || version == (3, 12) { 2 * object } else { object };
    let table = (1..=5).contains(&n) && instance.parked_bytes() == 0;
    Some(objects + if table { with_table - object } else { 0 })
}

/// Compares the requested bytes of each instance but the first, which also pays for what the class makes
/// once. What an instance leaves to a free list counts, too.
pub(super) fn check(row: &Value) -> Result<Verdict, String> {
    let (kind, n) = (text(row, "k")?, number(row, "N")?);
    let measured = instances(row)?;
    let Ok(target) = text(row, "v")?.parse::<Target>() else { return Ok(Verdict::Unknown) };
    let Some(Kind { class, live }) = Kind::new(kind, n, target) else { return Ok(Verdict::Unknown) };
    // All stay alive, as in the measurement.
    let alive: Vec<_> = measured.iter().map(|_| live(&class)).collect();
    let Some(by_call) = alive.last().and_then(|it| parked_by_call(kind, n, target, it)) else {
        return Err("key seq: no instances".to_owned());
    };
    let all = |it: &Instance<'_>| it.footprint().requested_bytes() + it.parked_bytes() + by_call;
    let bytes = alive.iter().map(|instance| all(instance) as i64);
    let wrong: Vec<String> = (1..)
        .zip(measured.iter().zip(bytes))
        .skip(1)
        .filter(|(_, (measured, model))| *measured != model)
        .map(|(i, (measured, model))| format!("instance {i} {measured}, model {model}"))
        .collect();
    match wrong.as_slice() {
        [] => Ok(Verdict::Same),
        [first, ..] => {
            Ok(Verdict::Mismatch(format!("{kind} {n} on {target}: {} differ: {first}", wrong.len())))
        }
    }
}

/// `[[bytes, repeat], ...]`, unrolled. Noise can make a number of bytes negative.
fn instances(row: &Value) -> Result<Vec<i64>, String> {
    const MOST: usize = 10_000;
    let runs = row.get("seq").and_then(Value::as_array);
    let mut all = Vec::new();
    for run in runs.ok_or("key seq: no list")? {
        let pair = run.as_array().map(Vec::as_slice);
        let Some([bytes, repeat]) = pair else { return Err("key seq: not [bytes, repeat]".to_owned()) };
        let (bytes, repeat) = (bytes.as_i64(), repeat.as_u64().and_then(|n| usize::try_from(n).ok()));
        match (bytes, repeat) {
            (Some(bytes), Some(repeat)) if repeat <= MOST && all.len() <= MOST => {
                all.extend(std::iter::repeat_n(bytes, repeat));
            }
            _ => return Err(format!("key seq: not [bytes, repeat] of up to {MOST} instances")),
        }
    }
    Ok(all)
}
