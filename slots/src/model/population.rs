//! Many instances of a class together: blocks, pools and arenas.

use super::blocks::Pymalloc;
use super::class::Class;
use super::footprint::Footprint;
use super::instance_error::InstanceError;

/// Instances after which those that get the same attributes cost the same.
const EARLY: u64 = 40;

/// So many instances of a class, all alive, as the first objects in fresh pools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Population {
    /// How many.
    pub count: u64,
    /// Bytes they ask for.
    pub requested_bytes: u64,
    /// Bytes of blocks and chunks that serve them.
    pub heap_bytes: u64,
    /// Pools of pymalloc that their blocks fill; `None` of a free-threaded build.
    pub pools: Option<u64>,
    /// Bytes of these pools.
    pub pool_bytes: Option<u64>,
    /// The fewest arenas that hold the pools.
    pub arenas: Option<u64>,
    /// Bytes of libc's chunks.
    pub libc_bytes: u64,
}

impl Class {
    /// What the next `count` instances cost, each given these attributes in this order and all of them kept.
    /// The first ones cost more: they have room for names to come.
    ///
    /// # Errors
    /// As [`Instance::set`](super::Instance::set).
    pub fn population<S: AsRef<str>>(&self, names: &[S], count: u64) -> Result<Population, InstanceError> {
        let mut alive = Vec::new();
        // Those that share no names are alike from the first.
        let early = count.min(if self.shared_keys().is_some() { EARLY } else { 1 });
        for _ in 0..early {
            let mut instance = self.instance();
            names.iter().try_for_each(|name| instance.set(name.as_ref()))?;
            alive.push(instance);
        }
        let mut costs: Vec<(Footprint, u64)> =
            alive.iter().map(|instance| (instance.footprint(), 1)).collect();
        if let Some((_, times)) = costs.last_mut() {
            *times += count - early;
        }
        Ok(Population::of(&costs, count, self.layout().node.abi.allocator.pymalloc()))
    }
}

impl Population {
    fn of(costs: &[(Footprint, u64)], count: u64, pymalloc: Option<Pymalloc>) -> Population {
        let sum = |of: fn(&Footprint) -> u64| {
            let each = costs.iter().map(|(cost, times)| of(cost).saturating_mul(*times));
            each.fold(0, u64::saturating_add)
        };
        let mut blocks = std::collections::BTreeMap::<u64, u64>::new();
        for (cost, times) in costs {
            for (size, n) in cost.blocks() {
                let all = blocks.entry(size).or_default();
                *all = all.saturating_add(n.saturating_mul(*times));
            }
        }
        let pools = pymalloc.map(|pymalloc| {
            let full = |(&size, &n): (&u64, &u64)| n.div_ceil(pymalloc.blocks_per_pool(size));
            blocks.iter().map(full).fold(0, u64::saturating_add)
        });
        Population {
            count,
            requested_bytes: sum(Footprint::requested_bytes),
            heap_bytes: sum(Footprint::heap_bytes),
            pools,
            pool_bytes: pools.zip(pymalloc).map(|(pools, it)| pools.saturating_mul(it.pool_bytes)),
            arenas: pools.zip(pymalloc).map(|(pools, it)| pools.div_ceil(it.arena_bytes / it.pool_bytes)),
            libc_bytes: sum(Footprint::libc_bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ClassLayout, Target};

    #[test]
    fn a_million_profiles_fill_their_pools() {
        let names = ["name", "age", "api_token"];
        let object = ClassLayout::object("3.13".parse::<Target>().unwrap()).unwrap();
        let plain = Class::new(&ClassLayout::new("User", &[&object]).unwrap());
        let it = plain.population(&names, 1_000_000).unwrap();
        // 26 early ones ask for more than 96 bytes, and lie in pools of other sizes.
        assert!(it.heap_bytes > 96_000_000 && it.heap_bytes < 96_010_000, "{it:?}");
        assert_eq!(it.pools.unwrap().abs_diff(1_000_000_u64.div_ceil(170)), 15, "{it:?}");
        assert_eq!(it.arenas, it.pools.map(|pools| pools.div_ceil(64)));
        assert_eq!(plain.population(&names, 0).unwrap().heap_bytes, 0);
    }
}
