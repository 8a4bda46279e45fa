//! Rows of the sequence table: what instances 1 to 45 of a fresh class cost, one by one.

use cpymem_slots::model::{Class, Target};
use serde_json::Value;

use super::kinds::Kind;
use super::{Verdict, number, text};

/// Whether CPython's free lists disturb what early instances request, of which the model knows nothing.
///
/// A dict's own table of 8 places is parked there when the dict outgrows it: a dict without shared keys does so
/// at its sixth name, one that loses them in the midst of 30 may. The dict of `**kw` comes from there. Up to 3.10
/// instances that are filled in turns, in other orders, or lose an attribute have no shared keys.
fn uses_free_lists(kind: &str, n: u32, target: Target, class: &Class) -> bool {
    let shared = class.layout().has_dict() && class.layout().shares_keys();
    let in_order = (target.version.major, target.version.minor) < (3, 11);
    let loses = in_order && ["dict_del", "dict_inter", "dict_shuf"].contains(&kind);
    let unshared = class.layout().has_dict() && (!shared || loses);
    kind == "dict_kw" || (kind == "dict_shuf" && n >= 30) || (unshared && n >= 6)
}

/// Compares the requested bytes of each instance but the first, which also pays for what the class makes
/// once.
pub(super) fn check(row: &Value) -> Result<Verdict, String> {
    let (kind, n) = (text(row, "k")?, number(row, "N")?);
    let measured = instances(row)?;
    let Ok(target) = text(row, "v")?.parse::<Target>() else { return Ok(Verdict::Unknown) };
    let Some(Kind { class, live }) = Kind::new(kind, n, target) else { return Ok(Verdict::Unknown) };
    if uses_free_lists(kind, n, target, &class) {
        return Ok(Verdict::Unknown);
    }

    // All stay alive, as in the measurement.
    let alive: Vec<_> = measured.iter().map(|_| live(&class)).collect();
    let bytes = alive.iter().map(|instance| instance.footprint().requested_bytes() as i64);
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
