//! What holds the memory of a process: the `--json` document of `cpymem explain`.

use serde::Serialize;

use crate::record::{Check, InputRecord, Layer, Verdict};

/// Document `cpymem.explain/1`: heap dumps of one process, what its memory is made of, and what to do.
#[derive(Clone, Debug, Serialize)]
pub struct ExplainRecord {
    /// `cpymem.explain/1`.
    pub schema: &'static str,
    /// The dumps, in the order of the command line.
    pub input: Vec<InputRecord>,
    /// The verdict on the last of them.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Whether the counts of the last dump are exact: they are not in a build without the GIL.
    pub exact: bool,
    /// What the memory of the last dump is made of.
    pub rss_bytes: RssRecord,
    /// Which layer has how much of it.
    pub layers: Vec<LayerRecord>,
    /// Every dump.
    pub dumps: Vec<DumpRecord>,
    /// Owners whose memory grows from dump to dump, those that grow most first.
    pub growth: Vec<GrowthRecord>,
    /// What could be done, the best first.
    pub remedies: Vec<RemedyRecord>,
    /// The failure that hurts most, by which remedies are in order.
    pub cost: Option<Cost>,
    /// What the input does not tell.
    pub notes: Vec<String>,
    /// What must hold.
    pub checks: Vec<Check>,
}

/// What resident memory is made of. The terms that are known sum to the total; what the dump does not tell is null.
#[derive(Clone, Copy, Debug, Default, Serialize, PartialEq, Eq)]
pub struct RssRecord {
    /// All of it, as the process's mappings say.
    pub total: Option<u64>,
    /// Objects of the dump that are alive.
    pub live_seen: Option<u64>,
    /// Blocks of pymalloc in use that no object of the dump accounts for.
    pub live_unseen: Option<u64>,
    /// Objects that only cycles keep.
    pub garbage: Option<u64>,
    /// Free blocks of pools in use.
    pub pool_free: Option<u64>,
    /// Unused pools, headers, and what is lost at the ends of pools and arenas, as far as it is resident.
    pub overhead: Option<u64>,
    /// What the C library's malloc holds beyond the objects of the dump.
    pub libc: Option<u64>,
    /// Programs, libraries and other files.
    pub files: Option<u64>,
    /// The main thread's stack.
    pub stack: Option<u64>,
    /// What is left: stacks of threads, mappings that libraries made for themselves.
    pub rest: Option<u64>,
}

impl RssRecord {
    /// The terms by name.
    pub fn terms(&self) -> [(&'static str, Option<u64>); 9] {
        [
            ("live_seen", self.live_seen),
            ("live_unseen", self.live_unseen),
            ("garbage", self.garbage),
            ("pool_free", self.pool_free),
            ("overhead", self.overhead),
            ("libc", self.libc),
            ("files", self.files),
            ("stack", self.stack),
            ("rest", self.rest),
        ]
    }

    /// What the known terms sum to.
    pub fn sum(&self) -> u64 {
        self.terms().iter().filter_map(|(_, bytes)| *bytes).fold(0, u64::saturating_add)
    }
}

/// A layer's part.
#[derive(Clone, Debug, Serialize)]
pub struct LayerRecord {
    /// The layer.
    pub layer: Layer,
    /// Its part of resident memory.
    pub bytes: u64,
    /// The same as a share; null if resident memory is unknown.
    pub share: Option<f64>,
}

/// One of the dumps.
#[derive(Clone, Debug, Serialize)]
pub struct DumpRecord {
    /// As the user named it.
    pub path: String,
    /// Seconds since 1970.
    pub time: Option<f64>,
    /// Objects, the dumper's own left out.
    pub objects: u64,
    /// Those that only cycles keep.
    pub garbage: u64,
    /// What its memory is made of.
    pub rss_bytes: RssRecord,
}

/// An owner that grows.
#[derive(Clone, Debug, Serialize)]
pub struct GrowthRecord {
    /// Its path of names.
    pub path: String,
    /// Entries of its containers in each dump; null where it is not there.
    pub entries: Vec<Option<u64>>,
    /// Bytes that it keeps alive in each dump.
    pub bytes: Vec<u64>,
    /// From the first dump to the last.
    pub bytes_delta: u64,
    /// Bytes more with each dump: the slope of the line of least squares.
    pub slope_per_dump: f64,
}

/// Something that could be done.
#[derive(Clone, Debug, Serialize)]
pub struct RemedyRecord {
    /// The layer where it acts.
    pub layer: Layer,
    /// What it acts on: a path of names, a class, a package; null if it is the process as a whole.
    pub target: Option<String>,
    /// The attributes of a class that it acts on.
    pub attributes: Vec<String>,
    /// What to do.
    pub action: String,
    /// Bytes that it brings; null if that cannot be known.
    pub expected_bytes: Option<u64>,
    /// What can go wrong: for each kind of failure 0 (nothing) to 3 (likely).
    pub risks: Risks,
}

/// How likely a remedy fails in each way, 0 to 3.
#[derive(Clone, Copy, Debug, Serialize, PartialEq, Eq)]
pub struct Risks {
    /// Requests become slower.
    pub latency: u8,
    /// Memory grows again.
    pub growth: u8,
    /// Code that worked breaks.
    pub compatibility: u8,
    /// People are misled by what they see.
    pub confusion: u8,
}

/// A kind of failure.
#[derive(Clone, Copy, Debug, Serialize, PartialEq, Eq, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Cost {
    /// Requests become slower.
    Latency,
    /// Memory grows again.
    Growth,
    /// Code that worked breaks.
    Compatibility,
    /// People are misled by what they see.
    Confusion,
}

impl Risks {
    /// The risk of one kind.
    pub fn of(&self, cost: Cost) -> u8 {
        match cost {
            Cost::Latency => self.latency,
            Cost::Growth => self.growth,
            Cost::Compatibility => self.compatibility,
            Cost::Confusion => self.confusion,
        }
    }
}
