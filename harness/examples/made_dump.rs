//! Writes a made heap dump of any size (PYHEAP 2, gzip) whose garbage is known, to see what a large one costs:
//!
//! ```sh
//! cargo run --release -p cpymem-harness --example made_dump -- 20000000 made.heap.jsonl.gz
//! ```
//!
//! Objects come in clusters of eight with 28 references, some of them to clusters far away, as in the heaps of real
//! programs: 3.5 references an object. Every fiftieth cluster is a cycle that nothing holds.

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

/// Rows before the lists of clusters: a module, its dict, a class, `None`, and names that everyone shares.
const MODULE: u32 = 0;
const DICT: u32 = 1;
const CLASS: u32 = 2;
const NONE: u32 = 3;
const FIRST_NAME: u32 = 4;
const NAMES: u32 = 1000;
const FIRST_LIST: u32 = FIRST_NAME + NAMES;
/// Clusters in a list.
const IN_LIST: u32 = 1000;
/// Objects in a cluster, and those of them that the collector tracks.
const CLUSTER: u32 = 8;
const TRACKED_IN_CLUSTER: u64 = 5;
/// One of so many clusters is garbage.
const GARBAGE: u32 = 50;
/// Types of the rows.
const TYPES: [&str; 10] = [
    "builtins.module",
    "builtins.dict",
    "builtins.type",
    "builtins.NoneType",
    "builtins.str",
    "builtins.list",
    "made.Record",
    "builtins.int",
    "builtins.tuple",
    "builtins.float",
];

/// Where everything is in a dump of some size.
#[derive(Clone, Copy)]
struct Plan {
    lists: u32,
    clusters: u32,
}

impl Plan {
    fn of(objects: u32) -> Plan {
        let clusters = objects.saturating_sub(FIRST_LIST) / CLUSTER;
        Plan { lists: clusters.div_ceil(IN_LIST), clusters: clusters.max(2) }
    }

    fn first_cluster(self) -> u32 {
        FIRST_LIST + self.lists
    }

    fn objects(self) -> u32 {
        self.first_cluster() + self.clusters * CLUSTER
    }

    /// The first object of a cluster.
    fn head(self, cluster: u32) -> u32 {
        self.first_cluster() + cluster * CLUSTER
    }

    /// A living cluster, always the same for the same number.
    fn living(self, seed: u32) -> u32 {
        let mut hash =
            u64::from(seed).wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        hash ^= hash >> 29;
        let cluster = (hash % u64::from(self.clusters)) as u32;
        if cluster % GARBAGE == GARBAGE - 1 { cluster - 1 } else { cluster }
    }

    /// What an object refers to.
    fn referents(self, id: u32, into: &mut Vec<u32>) {
        into.clear();
        match id {
            MODULE => into.push(DICT),
            DICT => into.extend([CLASS].into_iter().chain(FIRST_LIST..FIRST_LIST + self.lists)),
            CLASS | NONE => {}
            _ if id < FIRST_LIST => {}
            _ if id < self.first_cluster() => {
                let first = (id - FIRST_LIST) * IN_LIST;
                let clusters = first..(first + IN_LIST).min(self.clusters);
                into.extend(clusters.filter(|c| c % GARBAGE != GARBAGE - 1).map(|c| self.head(c)));
            }
            _ => self.referents_in_cluster(id, into),
        }
    }

    fn referents_in_cluster(self, id: u32, into: &mut Vec<u32>) {
        let place = (id - self.first_cluster()) % CLUSTER;
        let b = id - place;
        let far = |k: u32| self.head(self.living(id.wrapping_mul(31).wrapping_add(k)));
        let name = |k: u32| FIRST_NAME + id.wrapping_add(k).wrapping_mul(2_654_435_761) % NAMES;
        match place {
            0 => into.extend([b + 1, CLASS]),
            1 => into.extend([b + 2, b + 3, b + 5, far(0), name(0), name(1)]),
            3 => into.extend([b, b + 4, b + 6, b + 7, far(0), name(0)]),
            5 => into.extend([b + 6, b + 7, NONE, CLASS]),
            7 => into.extend([far(0), far(1), far(2), b + 2, b + 4, name(0), name(1), NONE, NONE, b]),
            _ => {}
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(objects), Some(path)) = (args.next(), args.next()) else {
        return Err("usage: made_dump OBJECTS FILE.heap.jsonl.gz".into());
    };
    let plan = Plan::of(objects.parse()?);
    let file = BufWriter::new(File::create(&path)?);
    let mut out = BufWriter::new(GzEncoder::new(file, Compression::fast()));
    let counts = counts(plan);
    writeln!(out, "{{\"form\": \"PYHEAP 2\", \"python\": \"3.12.1\", \"note\": \"made\"}}")?;
    let edges = rows(plan, &counts, &mut out)?;
    let lists: Vec<String> = (0..plan.lists).map(|k| format!("\"LIST_{k}\"")).collect();
    writeln!(out, "{{\"names\":{{\"id\":{DICT},\"keys\":[\"Record\",{}]}}}}", lists.join(","))?;
    for (id, name) in TYPES.iter().enumerate() {
        let gc = !["NoneType", "str", "int", "float"].iter().any(|leaf| name.ends_with(leaf));
        writeln!(out, "{{\"type\":{{\"id\":{id},\"name\":\"{name}\",\"gc\":{gc}}}}}")?;
    }
    let garbage = u64::from(plan.clusters / GARBAGE) * TRACKED_IN_CLUSTER;
    let objects = plan.objects();
    writeln!(
        out,
        "{{\"end\":{{\"objects\":{objects},\"edges\":{edges},\"gc_collected_after\":{garbage},\"seconds\":0}}}}"
    )?;
    out.into_inner()?.finish()?.flush()?;
    println!("{path}: {objects} objects, {edges} references, {garbage} of them garbage");
    Ok(())
}

/// References to each object.
fn counts(plan: Plan) -> Vec<u32> {
    let mut counts = vec![0; plan.objects() as usize];
    let mut referents = Vec::new();
    for id in 0..plan.objects() {
        plan.referents(id, &mut referents);
        for &to in &referents {
            counts[to as usize] += 1;
        }
    }
    // Someone outside holds the module.
    counts[MODULE as usize] += 1;
    counts
}

fn rows(plan: Plan, counts: &[u32], out: &mut impl Write) -> Result<u64, Box<dyn Error>> {
    let mut referents = Vec::new();
    let mut edges = 0;
    for (id, &count) in (0..plan.objects()).zip(counts) {
        plan.referents(id, &mut referents);
        edges += referents.len() as u64;
        let place = (id.wrapping_sub(plan.first_cluster())) % CLUSTER;
        let (class, size, flags) = match id {
            MODULE => (0, 72, 1 | 16),
            DICT => (1, 36_952, 1),
            CLASS => (2, 1_072, 1 | 8),
            NONE => (3, 16, 0),
            _ if id < FIRST_LIST => (4, 56, 0),
            _ if id < plan.first_cluster() => (5, 56 + 8 * u64::from(IN_LIST), 1),
            _ => match place {
                0 => (6, 48, 1),
                1 => (1, 232, 1),
                2 => (4, 57, 0),
                3 => (5, 120, 1),
                4 => (7, 28, 0),
                5 => (8, 88, 1),
                6 => (9, 24, 0),
                _ => (5, 136, 1),
            },
        };
        let address = 0x7f00_0000_0000_u64 + u64::from(id) * 64;
        write!(out, "[{id},{class},{size},{flags},{count},{address},[")?;
        for (k, to) in referents.iter().enumerate() {
            let comma = if k == 0 { "" } else { "," };
            write!(out, "{comma}{to}")?;
        }
        match id {
            MODULE => out.write_all(b"],\"made\"]\n")?,
            CLASS => out.write_all(b"],\"made.Record\"]\n")?,
            _ => out.write_all(b"]]\n")?,
        }
    }
    Ok(edges)
}
