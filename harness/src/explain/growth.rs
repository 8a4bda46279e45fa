//! What grows from one dump of a process to the next.

use std::collections::HashMap;

use super::portrait::{Owner, Portrait};
use crate::record_explain::GrowthRecord;
use crate::series::{always_rises, delta, never_falls, slope};

/// Owners that are reported.
const MOST_OWNERS: usize = 16;

/// Growth over several dumps.
#[derive(Clone, Debug, Default)]
pub struct Growth {
    /// Bytes of living objects in each dump.
    pub live: Vec<u64>,
    /// Owners whose bytes never fall and are more at the end, those that grow most first.
    pub owners: Vec<GrowthRecord>,
}

impl Growth {
    /// Compares dumps in their order; nothing grows in a single one.
    pub fn between(portraits: &[Portrait]) -> Growth {
        let live = portraits.iter().map(|portrait| portrait.known.live.bytes()).collect();
        let (Some(last), true) = (portraits.last(), portraits.len() > 1) else {
            return Growth { live, owners: Vec::new() };
        };
        let by_path: Vec<HashMap<&str, &Owner>> = portraits
            .iter()
            .map(|portrait| portrait.owners.iter().map(|owner| (&*owner.path, owner)).collect())
            .collect();
        let grown = |owner: &Owner| {
            let each: Vec<Option<&Owner>> =
                by_path.iter().map(|owners| owners.get(&*owner.path).copied()).collect();
            let of = |count: fn(&Owner) -> u64| {
                let counts = each.iter().map(move |owner| owner.map_or(0, count));
                counts.collect::<Vec<u64>>()
            };
            // What both ways of counting say: bytes nearest to the owner, and bytes that only it keeps.
            let (near, retained) = (of(|owner| owner.bytes), of(|owner| owner.retained));
            let bytes = if delta(&near) <= delta(&retained) { near } else { retained };
            let bytes_delta = u64::try_from(delta(&bytes)).unwrap_or(0);
            (never_falls(&bytes) && bytes_delta > 0).then(|| GrowthRecord {
                path: owner.path.clone(),
                entries: each.iter().map(|owner| owner.map(|owner| owner.entries)).collect(),
                bytes_delta,
                slope_per_dump: slope(&bytes),
                bytes,
            })
        };
        let mut owners: Vec<GrowthRecord> = last.owners.iter().filter_map(grown).collect();
        owners.sort_by(|a, b| b.bytes_delta.cmp(&a.bytes_delta).then_with(|| a.path.cmp(&b.path)));
        owners.truncate(MOST_OWNERS);
        Growth { live, owners }
    }

    /// Whether living memory never fell and is more at the end.
    pub fn is_steady(&self) -> bool {
        self.live.len() > 1 && always_rises(&self.live)
    }

    /// Bytes of living objects gained from the first dump to the last.
    pub fn bytes(&self) -> u64 {
        u64::try_from(delta(&self.live)).unwrap_or(0)
    }
}
