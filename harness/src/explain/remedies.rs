//! What could be done, and the bytes that it brings.
//!
//! Bytes are those that the process has to hold no longer: of a cache what only it keeps alive, of arenas those that
//! would be empty; of code that is loaded before a fork, what each further worker shares. They are not added up, since
//! remedies overlap.

use super::growth::Growth;
use super::portrait::{Class, Portrait};
use crate::record::Layer;
use crate::record_explain::{Cost, RemedyRecord, Risks};
use crate::units;

/// Remedies of one kind that are named.
const MOST: usize = 3;
/// Share of the best remedy's bytes that one must bring to be preferred for its lower risk.
const WORTHWHILE: f64 = 0.25;
/// Objects that the collector walks in a full pass, from which on freezing them is worth a word.
const MANY_TRACKED: u64 = 100_000;

const BOUND: Risks = Risks { latency: 1, growth: 0, compatibility: 1, confusion: 0 };
const COLLECT: Risks = Risks { latency: 3, growth: 1, compatibility: 0, confusion: 1 };
const BREAK: Risks = Risks { latency: 0, growth: 0, compatibility: 2, confusion: 1 };
const FREEZE: Risks = Risks { latency: 0, growth: 2, compatibility: 0, confusion: 2 };
const REBUILD: Risks = Risks { latency: 2, growth: 1, compatibility: 1, confusion: 2 };
const TRIM: Risks = Risks { latency: 1, growth: 2, compatibility: 0, confusion: 1 };
const SLOTS: Risks = Risks { latency: 0, growth: 0, compatibility: 3, confusion: 1 };
const LAZY: Risks = Risks { latency: 2, growth: 0, compatibility: 1, confusion: 1 };
const PRELOAD: Risks = Risks { latency: 0, growth: 1, compatibility: 2, confusion: 2 };

/// Everything that could be done, most bytes first.
pub(super) fn remedies(portrait: &Portrait, growth: &Growth) -> Vec<RemedyRecord> {
    let mut all = Vec::new();
    lifetime(portrait, growth, &mut all);
    collector(portrait, &mut all);
    allocator(portrait, &mut all);
    class(portrait, &mut all);
    packaging(portrait, &mut all);
    all.sort_by_key(|remedy| std::cmp::Reverse(remedy.expected_bytes));
    all
}

/// Puts remedies in order: those of the verdict's layer first; with a cost those that are worthwhile and risk it
/// least.
pub(super) fn order(all: &mut [RemedyRecord], layer: Layer, cost: Option<Cost>) {
    let other = |remedy: &RemedyRecord| remedy.layer != layer;
    // What is saved on each further worker is no saving on this one, and not to be compared.
    let comparable = |remedy: &RemedyRecord| remedy.risks != PRELOAD || !other(remedy);
    let bytes = |remedy: &RemedyRecord| remedy.expected_bytes.filter(|_| comparable(remedy)).unwrap_or(0);
    let best = all.iter().map(bytes).max().unwrap_or(0);
    let worthwhile = |remedy: &RemedyRecord| best > 0 && bytes(remedy) as f64 >= WORTHWHILE * best as f64;
    all.sort_by_key(|remedy| match cost {
        Some(cost) => {
            let risk = if worthwhile(remedy) { remedy.risks.of(cost) } else { u8::MAX };
            (risk, other(remedy), std::cmp::Reverse(bytes(remedy)))
        }
        None => (0, other(remedy), std::cmp::Reverse(bytes(remedy))),
    });
}

fn add(
    all: &mut Vec<RemedyRecord>,
    layer: Layer,
    risks: Risks,
    target: Option<&str>,
    expected_bytes: Option<u64>,
    action: String,
) {
    let target = target.map(str::to_owned);
    all.push(RemedyRecord { layer, target, attributes: Vec::new(), action, expected_bytes, risks });
}

fn lifetime(portrait: &Portrait, growth: &Growth, all: &mut Vec<RemedyRecord>) {
    let least = portrait.rss.total.unwrap_or_else(|| portrait.known.live.bytes()) / 200;
    for owner in growth.owners.iter().filter(|owner| owner.bytes_delta >= least).take(MOST) {
        let entries =
            match (owner.entries.first().copied().flatten(), owner.entries.last().copied().flatten()) {
                (Some(first), Some(last)) if last > first => {
                    format!(" at its first {} of {} entries", units::count(first), units::count(last))
                }
                _ => String::new(),
            };
        let action = format!("bound {}{entries}: a limit, an age, or a removal when done", owner.path);
        add(all, Layer::Lifetime, BOUND, Some(&owner.path), Some(owner.bytes_delta), action);
    }
    if !growth.owners.is_empty() {
        return;
    }
    let owners = portrait.owners.iter().filter(|owner| owner.entries > 0 && owner.sure_bytes() >= least);
    for owner in owners.take(MOST) {
        let entries = units::count(owner.entries);
        let action = format!("bound {} ({entries} entries), or empty it when its work is done", owner.path);
        add(all, Layer::Lifetime, BOUND, Some(&owner.path), Some(owner.sure_bytes()), action);
    }
}

fn collector(portrait: &Portrait, all: &mut Vec<RemedyRecord>) {
    let bytes = portrait.known.dead.bytes();
    if bytes > 0 {
        if portrait.header.gc_enabled == Some(false) {
            let action =
                "call gc.collect() where nobody waits, or gc.enable(): the collector is off".to_owned();
            add(all, Layer::Collector, COLLECT, None, Some(bytes), action);
        } else {
            let action = "call gc.collect() where nobody waits: after a batch, between requests".to_owned();
            add(all, Layer::Collector, COLLECT, None, Some(bytes), action);
        }
        if let Some((class, count)) = portrait.garbage.types.first() {
            let count = units::count(*count);
            let action = format!(
                "break the cycle that holds {class} ({count} dead): a weakref for the way back, or clear it when done"
            );
            add(all, Layer::Collector, BREAK, Some(class), Some(bytes), action);
        }
    }
    let collects = portrait.header.gc_enabled == Some(true) && portrait.header.frozen == Some(0);
    if collects && portrait.tracked >= MANY_TRACKED {
        let tracked = units::count(portrait.tracked);
        let action = format!(
            "call gc.freeze() when the service is warm: a full collection then no longer walks {tracked} objects"
        );
        add(all, Layer::Collector, FREEZE, None, None, action);
    }
}

fn allocator(portrait: &Portrait, all: &mut Vec<RemedyRecord>) {
    let least = portrait.rss.total.unwrap_or(0) / 50;
    if let Some(pools) = portrait.known.pools {
        let free = portrait.rss.pool_free.unwrap_or(0).saturating_add(portrait.rss.overhead.unwrap_or(0));
        let saving = pools.bytes().saturating_sub(pools.packed_bytes()).min(free);
        if saving >= least.max(1) {
            let fit = pools.packed_bytes() / pools.arena_bytes.max(1);
            let action = format!(
                "after the bulk is gone call gc.collect(), rebuild what survives (copy it, drop the old), or recycle \
                 the worker: what is in use fits in {} of {} arenas",
                units::count(fit),
                units::count(pools.arenas)
            );
            add(all, Layer::Allocator, REBUILD, None, Some(saving), action);
        }
    }
    let libc = portrait.rss.libc.unwrap_or(0);
    if let Some((held, used)) = portrait.known.malloc {
        let free = held.saturating_sub(used).min(libc);
        if free >= least.max(1) {
            let action =
                "call malloc_trim(0) of the C library after the peak, through ctypes; with threads start \
                          under MALLOC_ARENA_MAX=2"
                    .to_owned();
            add(all, Layer::Allocator, TRIM, None, Some(free), action);
        }
    } else if libc > least.saturating_mul(15) {
        let action =
            "see what malloc holds free (a dump by `cpymem dump --helper` tells), then malloc_trim(0)";
        add(all, Layer::Allocator, TRIM, None, None, action.to_owned());
    }
}

fn class(portrait: &Portrait, all: &mut Vec<RemedyRecord>) {
    for it in portrait.classes.iter().take(MOST) {
        let Class { name, instances, attributes, saving, .. } = it;
        let count = units::count(*instances);
        let shown = if attributes.len() > 4 {
            format!("{}, ...", attributes[..4].join(", "))
        } else {
            attributes.join(", ")
        };
        let action =
            format!("give {name} __slots__ ({shown}): {count} instances live, and each becomes smaller");
        add(all, Layer::Class, SLOTS, Some(name), Some(*saving), action);
        if let Some(last) = all.last_mut() {
            last.attributes.clone_from(attributes);
        }
    }
}

fn packaging(portrait: &Portrait, all: &mut Vec<RemedyRecord>) {
    let least = portrait.rss.total.unwrap_or(0) / 100;
    let code = portrait.with_unseen(portrait.live.code);
    for package in &portrait.packages {
        let bytes = package.bytes.saturating_add(package.file_bytes);
        // What only the main module imports is the program, and what has a large part of all code it is built on.
        let is_program = package.imported_by.iter().all(|importer| importer == "__main__");
        if bytes < least.max(1) || is_program || bytes > code / 4 {
            continue;
        }
        let list = |names: &[String]| match names.len() {
            0..=3 => names.join(", "),
            more => format!("{} and {} more", names[..3].join(", "), more - 3),
        };
        let brings = match package.brings.len() {
            0 => String::new(),
            _ => format!("; with it go {}", list(&package.brings)),
        };
        let action = format!(
            "do without {}, or import it only where it is used: {} import{} it{brings}",
            package.name,
            list(&package.imported_by),
            if package.imported_by.len() == 1 { "s" } else { "" },
        );
        add(all, Layer::Packaging, LAZY, Some(&package.name), Some(bytes), action);
    }
    if code > 0 {
        let action =
            "load the application before workers fork (gunicorn --preload, then gc.freeze()): each further \
                      worker shares what is code"
                .to_owned();
        add(all, Layer::Packaging, PRELOAD, None, Some(code), action);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remedy(layer: Layer, risks: Risks, bytes: u64) -> RemedyRecord {
        let mut all = Vec::new();
        add(&mut all, layer, risks, None, Some(bytes), format!("{bytes}"));
        all.remove(0)
    }

    #[test]
    fn the_least_risk_leads_among_what_is_worthwhile() {
        let mut all = [
            remedy(Layer::Class, SLOTS, 100),
            remedy(Layer::Collector, COLLECT, 80),
            remedy(Layer::Lifetime, BOUND, 40),
            remedy(Layer::Collector, BREAK, 10),
            remedy(Layer::Packaging, PRELOAD, 1000),
        ];
        let mut ordered = |cost| {
            order(&mut all, Layer::Class, cost);
            all.iter().map(|remedy| remedy.action.parse().unwrap()).collect::<Vec<u64>>()
        };
        assert_eq!(ordered(None), [100, 80, 40, 10, 1000], "the layer's own, then by bytes; workers apart");
        assert_eq!(ordered(Some(Cost::Compatibility))[..3], [80, 40, 100]);
        assert_eq!(ordered(Some(Cost::Latency))[..3], [100, 40, 80]);
        assert_eq!(ordered(Some(Cost::Growth))[..3], [100, 40, 80]);
        assert_eq!(ordered(Some(Cost::Confusion))[..3], [40, 100, 80]);
    }
}
