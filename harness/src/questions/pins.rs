//! `cpymem pins`: which types keep arenas and pools that are nearly empty.
//!
//! pymalloc gives an arena back when every pool of it is empty, and a pool serves another size when every block of
//! it is free. One small object is enough to keep either. An object's address names its pool and arena; what the
//! dump does not list (attribute values, tables of dicts, what C code holds) is missing here, so fills are at least
//! what is shown.

use std::collections::{BTreeMap, HashMap};

use cpymem_slots::model::Pymalloc;
use serde::Serialize;

use super::notes;
use crate::error::{InputError, Place};
use crate::heap::{Graph, Labels, MallocStats, Mapping};
use crate::input::Input;
use crate::progress::Progress;
use crate::record::{Check, InputRecord};
use crate::units;

/// An arena is nearly empty where objects fill less of it.
const NEARLY_EMPTY_PERCENT: u64 = 10;
/// Upper ends of the groups by fill, in percent.
const FILLS: [u64; 6] = [10, 25, 50, 75, 90, 100];
/// Types that an arena or a pool lists at most.
const MOST_TYPES: usize = 8;

/// Document `cpymem.pins/1`: arenas and pools by fill, and the types in the emptiest.
#[derive(Clone, Debug, Serialize)]
pub struct PinsRecord {
    /// `cpymem.pins/1`.
    pub schema: &'static str,
    /// The dump.
    pub input: [InputRecord; 1],
    /// Bytes of an arena.
    pub arena_bytes: u64,
    /// Bytes of a pool.
    pub pool_bytes: u64,
    /// What to know before relying on the figures.
    pub notes: Vec<String>,
    /// What CPython itself counted; null if the dump does not say.
    pub recorded: Option<Recorded>,
    /// What the objects show.
    pub seen: Seen,
    /// Arenas by how much of them objects fill.
    pub fill: Vec<Fill>,
    /// The types in arenas that are nearly empty, those that keep most arenas first.
    pub pinned_by: Vec<Pin>,
    /// All arenas that show an object, the emptiest first.
    pub arenas: Vec<ArenaRecord>,
    /// All pools that show an object, by address; null unless asked for.
    pub pools: Option<Vec<PoolRecord>>,
    /// What must hold.
    pub checks: Vec<Check>,
}

/// What CPython counted when the dump was made.
#[derive(Clone, Debug, Serialize)]
pub struct Recorded {
    /// Arenas.
    pub arenas: u64,
    /// Their bytes.
    pub arenas_bytes: u64,
    /// Pools that have a block size.
    pub pools: u64,
    /// Pools that have none.
    pub unused_pools: u64,
    /// Bytes in blocks that are in use.
    pub allocated_bytes: u64,
    /// Bytes in free blocks of pools in use.
    pub available_bytes: u64,
    /// Bytes of pools without a size.
    pub unused_bytes: u64,
    /// Bytes of headers, ends of pools and alignment.
    pub lost_bytes: u64,
}

/// What the objects of the dump show.
#[derive(Clone, Debug, Serialize)]
pub struct Seen {
    /// Arenas with an object.
    pub arenas: u64,
    /// Pools with an object.
    pub pools: u64,
    /// Objects in pools.
    pub objects: u64,
    /// Bytes of their blocks.
    pub block_bytes: u64,
    /// Arenas that are nearly empty, and their bytes.
    pub nearly_empty_arenas: u64,
    /// Bytes of these arenas.
    pub nearly_empty_bytes: u64,
    /// Bytes of the blocks that keep them.
    pub pinning_bytes: u64,
}

/// Arenas between two fills.
#[derive(Clone, Debug, Serialize)]
pub struct Fill {
    /// Fill below this, and not below that of the row before.
    pub below_percent: u64,
    /// Arenas.
    pub arenas: u64,
    /// Pools in them with an object.
    pub pools: u64,
    /// Bytes of the objects' blocks.
    pub block_bytes: u64,
}

/// A type in arenas that are nearly empty.
#[derive(Clone, Debug, Serialize)]
pub struct Pin {
    /// Module and name.
    pub name: String,
    /// Arenas that it shares in keeping.
    pub arenas: u64,
    /// Pools of them in which it shows.
    pub pools: u64,
    /// Objects.
    pub objects: u64,
    /// Bytes of their blocks.
    pub block_bytes: u64,
    /// Who owns most of these objects.
    pub owner: Option<String>,
}

/// An arena.
#[derive(Clone, Debug, Serialize)]
pub struct ArenaRecord {
    /// Its first address.
    pub address: u64,
    /// Pools with an object.
    pub pools: u64,
    /// Objects.
    pub objects: u64,
    /// Bytes of their blocks.
    pub block_bytes: u64,
    /// The types of these objects, most bytes first.
    pub types: Vec<PlacedType>,
}

/// A pool.
#[derive(Clone, Debug, Serialize)]
pub struct PoolRecord {
    /// Its first address.
    pub address: u64,
    /// Bytes of its blocks.
    pub block_size_bytes: u64,
    /// Objects.
    pub objects: u64,
    /// The types of these objects, most first.
    pub types: Vec<PlacedType>,
}

/// A type in an arena or a pool.
#[derive(Clone, Debug, Serialize)]
pub struct PlacedType {
    /// Module and name.
    pub name: String,
    /// Objects.
    pub objects: u64,
    /// Bytes of their blocks.
    pub block_bytes: u64,
}

/// An object in a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Placed {
    pool: u64,
    class: u32,
    id: u32,
    block: u32,
}

/// Objects and bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    objects: u64,
    bytes: u64,
}

impl Sum {
    fn add(&mut self, bytes: u64) {
        self.objects += 1;
        self.bytes += bytes;
    }
}

/// Answers for a dump; with `pools` the document lists every pool.
///
/// # Errors
/// As [`Graph::read`]; or if the dump has no addresses, no map of the process's memory, or comes from a build
/// without pymalloc.
pub fn pins(input: &Input, pools: bool, progress: &Progress) -> Result<PinsRecord, InputError> {
    let graph = Graph::read(input, Labels::Code, progress)?;
    let error = |line, what| InputError::new(input.name(), Place::Line(line), what);
    let Some(rules) =
        Pymalloc::of(graph.blocks().target()).ok().flatten().filter(|_| !graph.is_free_threaded())
    else {
        return Err(error(1, "a build without pymalloc has no arenas to pin"));
    };
    let smaps = graph.process.as_ref().and_then(|process| process.smaps.as_deref());
    let Some(smaps) = smaps else {
        return Err(error(
            1,
            "the dump does not say where the process's memory is (no \"process\" line with smaps)",
        ));
    };
    progress.pass(&format!("{}: pools", input.name()));
    let ranges = ranges(smaps, &rules);
    let placed = placed(&graph, &ranges, &rules);
    if placed.is_empty() {
        return Err(error(
            1,
            "no object of the dump lies in an arena: it has no addresses, or the process no pymalloc",
        ));
    }
    let arenas = Arenas::new(&ranges, &placed, &rules);
    Ok(answer(input, &graph, &rules, &placed, &arenas, pools))
}

/// Where arenas can be: anonymous mappings of at least their size.
fn ranges(smaps: &[Mapping], rules: &Pymalloc) -> Vec<(u64, u64)> {
    let large = |mapping: &&Mapping| {
        mapping.name.is_empty() && mapping.end.saturating_sub(mapping.start) >= rules.arena_bytes
    };
    let mut ranges: Vec<(u64, u64)> = smaps.iter().filter(large).map(|it| (it.start, it.end)).collect();
    ranges.sort_unstable();
    ranges
}

/// The objects in pools, in the order of their pools.
fn placed(graph: &Graph, ranges: &[(u64, u64)], rules: &Pymalloc) -> Vec<Placed> {
    let mut placed = Vec::new();
    for id in graph.ids() {
        let (Some(class), Some(address)) = (graph.type_id(id), graph.address(id)) else { continue };
        let Some(block) = graph.blocks().pool_block(graph, id) else { continue };
        let after = ranges.partition_point(|&(start, _)| start <= address);
        let inside = after.checked_sub(1).is_some_and(|k| address < ranges[k].1);
        if inside {
            let pool = address / rules.pool_bytes * rules.pool_bytes;
            placed.push(Placed { pool, class, id, block: block as u32 });
        }
    }
    placed.sort_unstable();
    placed
}

/// Where arenas with an object begin. The system joins neighbouring mappings, and not only arenas are mapped: in a
/// mapping that is no multiple of arenas long, the fewest arenas that cover all objects are taken.
struct Arenas {
    /// First addresses, ascending.
    starts: Vec<u64>,
}

impl Arenas {
    fn new(ranges: &[(u64, u64)], placed: &[Placed], rules: &Pymalloc) -> Arenas {
        let mut starts: Vec<u64> = Vec::new();
        for it in placed {
            // A mapping may begin within a pool.
            let covered =
                starts.last().is_some_and(|&start| it.pool.saturating_sub(start) < rules.arena_bytes);
            if covered {
                continue;
            }
            let k = ranges.partition_point(|&(start, _)| start <= it.pool).saturating_sub(1);
            let (start, end) = ranges.get(k).copied().unwrap_or_default();
            let whole = end.saturating_sub(start).is_multiple_of(rules.arena_bytes);
            let inside = it.pool.saturating_sub(start);
            starts.push(if whole { start + inside / rules.arena_bytes * rules.arena_bytes } else { it.pool });
        }
        Arenas { starts }
    }

    /// The first address of the arena of a pool.
    fn of(&self, pool: u64) -> u64 {
        let after = self.starts.partition_point(|&start| start <= pool);
        after.checked_sub(1).map_or(0, |k| self.starts[k])
    }
}

fn answer(
    input: &Input,
    graph: &Graph,
    rules: &Pymalloc,
    placed: &[Placed],
    arenas_at: &Arenas,
    list_pools: bool,
) -> PinsRecord {
    let arena_of = |pool: u64| arenas_at.of(pool);
    let mut by_arena: BTreeMap<u64, (u64, HashMap<u32, Sum>)> = BTreeMap::new();
    let mut pool_records = Vec::new();
    let (mut pools, mut mixed, mut attributed) = (0u64, 0u64, 0u64);
    for objects in placed.chunk_by(|a, b| a.pool == b.pool) {
        pools += 1;
        let mut types: HashMap<u32, Sum> = HashMap::new();
        let mut sizes: BTreeMap<u32, u64> = BTreeMap::new();
        let arena = by_arena.entry(arena_of(objects[0].pool)).or_default();
        arena.0 += 1;
        for it in objects {
            types.entry(it.class).or_default().add(u64::from(it.block));
            arena.1.entry(it.class).or_default().add(u64::from(it.block));
            *sizes.entry(it.block).or_default() += 1;
        }
        attributed += u64::from(!types.is_empty());
        mixed += u64::from(sizes.len() > 1);
        // Blocks of a pool have one size; an object that shrank in place shows less.
        let size = sizes.keys().next_back().copied().map_or(0, u64::from);
        if list_pools {
            pool_records.push(PoolRecord {
                address: objects[0].pool,
                block_size_bytes: size,
                objects: objects.len() as u64,
                types: type_list(graph, &types),
            });
        }
    }
    let mut arenas: Vec<ArenaRecord> = Vec::new();
    let mut sparse: HashMap<u64, ()> = HashMap::new();
    for (&address, (pools, types)) in &by_arena {
        let block_bytes = types.values().map(|sum| sum.bytes).sum::<u64>();
        if is_nearly_empty(block_bytes, rules) {
            sparse.insert(address, ());
        }
        arenas.push(ArenaRecord {
            address,
            pools: *pools,
            objects: types.values().map(|sum| sum.objects).sum(),
            block_bytes,
            types: type_list(graph, types),
        });
    }
    arenas.sort_by_key(|arena| (arena.block_bytes, arena.address));
    let pinned_by = pinned_by(graph, placed, |pool| {
        let arena = arena_of(pool);
        sparse.contains_key(&arena).then_some(arena)
    });
    let seen = Seen {
        arenas: arenas.len() as u64,
        pools,
        objects: placed.len() as u64,
        block_bytes: arenas.iter().map(|arena| arena.block_bytes).sum(),
        nearly_empty_arenas: sparse.len() as u64,
        nearly_empty_bytes: sparse.len() as u64 * rules.arena_bytes,
        pinning_bytes: pinned_by.iter().map(|pin| pin.block_bytes).sum(),
    };
    let stats =
        graph.process.as_ref().and_then(|process| MallocStats::parse(process.mallocstats.as_deref()?));
    let mut checks = vec![Check::equal("every pool that shows an object has its types", pools, attributed)];
    if let Some(stats) = &stats {
        checks.extend(totals(stats, &seen));
    }
    let mut notes = notes(graph);
    if mixed > 0 {
        notes.push(format!(
            "in {} pools objects shrank in place: their blocks are larger",
            units::count(mixed)
        ));
    }
    PinsRecord {
        schema: "cpymem.pins/1",
        input: [InputRecord::new(input, &graph.header.form, graph.header.python.as_deref())],
        arena_bytes: rules.arena_bytes,
        pool_bytes: rules.pool_bytes,
        notes,
        recorded: stats.map(|stats| Recorded {
            arenas: stats.arenas,
            arenas_bytes: stats.total_bytes,
            pools: stats.pools(),
            unused_pools: stats.unused_pools,
            allocated_bytes: stats.allocated_bytes,
            available_bytes: stats.available_bytes,
            unused_bytes: stats.unused_pools.saturating_mul(stats.pool_bytes),
            lost_bytes: stats.lost_bytes,
        }),
        fill: fill(&arenas, rules),
        seen,
        pinned_by,
        arenas,
        pools: list_pools.then_some(pool_records),
        checks,
    }
}

fn is_nearly_empty(block_bytes: u64, rules: &Pymalloc) -> bool {
    block_bytes * 100 < rules.arena_bytes * NEARLY_EMPTY_PERCENT
}

/// What must hold between what CPython counted and what the objects show.
fn totals(stats: &MallocStats, seen: &Seen) -> Vec<Check> {
    let parts = stats.unused_pools.saturating_mul(stats.pool_bytes);
    let parts = [stats.allocated_bytes, stats.available_bytes, parts, stats.lost_bytes];
    let parts = parts.into_iter().fold(0, u64::saturating_add);
    let blocks = stats.classes.iter().map(|it| it.block_bytes.saturating_mul(it.blocks));
    let at_most = |claim: &str, most: u64, seen: u64| Check {
        claim: claim.to_owned(),
        expected: format!("at most {most}"),
        seen: seen.to_string(),
        holds: seen <= most,
    };
    vec![
        Check::equal(
            "arenas are allocated, available, unused and lost bytes",
            stats.arenas.saturating_mul(stats.arena_bytes),
            parts,
        ),
        Check::equal(
            "allocated bytes are the blocks of all size classes",
            stats.allocated_bytes,
            blocks.fold(0, u64::saturating_add),
        ),
        at_most("pools that show an object are pools in use", stats.pools(), seen.pools),
        at_most("arenas that show an object are arenas in use", stats.arenas, seen.arenas),
    ]
}

fn type_list(graph: &Graph, types: &HashMap<u32, Sum>) -> Vec<PlacedType> {
    let mut list: Vec<PlacedType> = types
        .iter()
        .map(|(&class, sum)| PlacedType {
            name: graph.type_by_id(class).map_or(String::new(), |it| it.name.clone()),
            objects: sum.objects,
            block_bytes: sum.bytes,
        })
        .collect();
    list.sort_by(|a, b| b.block_bytes.cmp(&a.block_bytes).then_with(|| a.name.cmp(&b.name)));
    list.truncate(MOST_TYPES);
    list
}

fn fill(arenas: &[ArenaRecord], rules: &Pymalloc) -> Vec<Fill> {
    let mut rows: Vec<Fill> =
        FILLS.map(|below_percent| Fill { below_percent, arenas: 0, pools: 0, block_bytes: 0 }).into();
    for arena in arenas {
        let percent = arena.block_bytes * 100 / rules.arena_bytes;
        let row = FILLS.iter().position(|&below| percent < below).unwrap_or(FILLS.len() - 1);
        rows[row].arenas += 1;
        rows[row].pools += arena.pools;
        rows[row].block_bytes += arena.block_bytes;
    }
    rows
}

/// The types in arenas that are nearly empty; `sparse` gives the arena of a pool if it is one.
fn pinned_by(graph: &Graph, placed: &[Placed], sparse: impl Fn(u64) -> Option<u64>) -> Vec<Pin> {
    /// What was seen of a type so far: its pins, the last arena and pool, and its objects by owner.
    #[derive(Default)]
    struct Counting {
        sum: Sum,
        arenas: u64,
        pools: u64,
        arena: Option<u64>,
        pool: Option<u64>,
        owners: HashMap<u32, u64>,
    }
    let owners = graph.owners();
    let mut by_type: HashMap<u32, Counting> = HashMap::new();
    for it in placed {
        let Some(arena) = sparse(it.pool) else { continue };
        let counting = by_type.entry(it.class).or_default();
        counting.sum.add(u64::from(it.block));
        // Objects come in the order of their pools.
        counting.arenas += u64::from(counting.arena.replace(arena) != Some(arena));
        counting.pools += u64::from(counting.pool.replace(it.pool) != Some(it.pool));
        if let Some(owner) = owners.owner(it.id) {
            *counting.owners.entry(owner.index() as u32).or_default() += 1;
        }
    }
    let paths: Vec<_> = owners.paths().collect();
    let mut pins: Vec<Pin> = by_type
        .into_iter()
        .map(|(class, counting)| {
            let most = counting.owners.iter().max_by_key(|&(&owner, &n)| (n, std::cmp::Reverse(owner)));
            Pin {
                name: graph.type_by_id(class).map_or(String::new(), |it| it.name.clone()),
                arenas: counting.arenas,
                pools: counting.pools,
                objects: counting.sum.objects,
                block_bytes: counting.sum.bytes,
                owner: most.map(|(&owner, _)| owners.text(paths[owner as usize])),
            }
        })
        .collect();
    let order = |it: &Pin| (it.arenas, it.pools, it.objects);
    pins.sort_by(|a, b| order(b).cmp(&order(a)).then_with(|| a.name.cmp(&b.name)));
    pins
}
