//! One pass over a trace that checks it and says what is in it.

use super::event::{Domain, Op};
use super::header::Header;
use super::live::{Live, LiveError};
use super::pools::RecordedPools;
use super::reader::Reader;
use crate::budget::Budget;
use crate::error::InputError;
use crate::input::Input;

/// pymalloc serves requests of 1 to this many bytes.
const SMALL: u64 = 512;

/// What is in a trace.
///
/// `allocations = frees + live_at_end`, and the same holds for the object domain alone:
/// `object_allocations = deaths.count + objects_live_at_end` unless a realloc changed a domain.
#[derive(Clone, Debug)]
pub struct Scan {
    /// What the trace says about itself.
    pub header: Header,
    /// Events.
    pub events: u64,
    /// Mallocs and callocs.
    pub allocations: u64,
    /// Reallocs.
    pub reallocs: u64,
    /// Frees.
    pub frees: u64,
    /// Frees and reallocs of blocks older than the trace.
    pub unknown: u64,
    /// Threads that had an event.
    pub threads: u32,
    /// Blocks live at the end.
    pub live_at_end: u64,
    /// The most blocks that were live at once.
    pub peak_live_blocks: u64,
    /// The most bytes, as asked for, that were live at once.
    pub peak_live_bytes: u64,
    /// Mallocs and callocs of up to 512 bytes.
    pub small_allocations: u64,
    /// Bytes of those.
    pub small_bytes: u128,
    /// Bytes of all mallocs and callocs.
    pub allocated_bytes: u128,
    /// Work that a replay is for an allocator, in bytes written: those of callocs, of reallocs what is kept, and
    /// 16 KiB for each call on a block of at least 128 KiB, which may take a call of the kernel.
    pub work_bytes: u128,
    /// Mallocs and callocs in the object domain.
    pub object_allocations: u64,
    /// Blocks of the object domain live at the end.
    pub objects_live_at_end: u64,
    /// What the cyclic collector did.
    pub collections: Collections,
    /// How objects died.
    pub deaths: Deaths,
    /// The phases in order.
    pub phases: Vec<Phase>,
}

impl Scan {
    /// The label of a phase.
    ///
    /// # Panics
    /// If `phase` is from another trace that has more labels.
    pub fn label(&self, phase: &Phase) -> &str {
        &self.header.labels[phase.label as usize]
    }

    /// Mallocs and callocs of up to 512 bytes over all; none without allocations.
    pub fn small_share_of_allocations(&self) -> Option<f64> {
        share(u128::from(self.small_allocations), u128::from(self.allocations))
    }

    /// Their bytes over those of all mallocs and callocs; none if there are no bytes.
    pub fn small_share_of_bytes(&self) -> Option<f64> {
        share(self.small_bytes, self.allocated_bytes)
    }
}

/// What the cyclic collector did in a trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collections {
    /// Collections finished, by the oldest generation collected.
    pub by_generation: [u64; 3],
    /// Time in collections, start to stop.
    pub total_ns: u64,
    /// The longest collection.
    pub longest_ns: u64,
    /// Unreachable objects found and freed.
    pub collected: u64,
    /// Unreachable objects that could not be freed.
    pub uncollectable: u64,
    /// Bytes freed between starts and stops, on any thread and in any domain.
    pub freed_bytes: u64,
    /// The most bytes freed in one collection.
    pub most_freed_bytes: u64,
}

/// Frees in the object domain, and how many of them the cyclic collector caused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deaths {
    /// Frees of blocks of the object domain.
    pub count: u64,
    /// Those between a collection's start and its stop, on any thread.
    pub collector: u64,
}

impl Deaths {
    /// The collector's share; none without deaths.
    pub fn collector_share(&self) -> Option<f64> {
        share(u128::from(self.collector), u128::from(self.count))
    }
}

/// A phase mark and the state of the process there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phase {
    /// Index into the header's labels.
    pub label: u32,
    /// Number of the event.
    pub event: u64,
    /// Time since the first mark.
    pub at_ns: u64,
    /// Anonymous resident memory in KiB, if it was measured.
    pub rss_kib: Option<u64>,
    /// Blocks live.
    pub live_blocks: u64,
    /// Bytes live, as asked for.
    pub live_bytes: u64,
    /// 16 KiB pages that held a live pymalloc block, if the trace has addresses.
    pub pools_recorded: Option<u64>,
}

/// Reads a whole trace, checks it, and says what is in it.
///
/// # Errors
/// If the trace is malformed, frees or reallocates a block that is not live, or needs more memory
/// than its limits allow.
pub fn scan(input: &Input) -> Result<Scan, InputError> {
    let mut reader = Reader::open(input)?;
    let mut pass = Pass::new(reader.header().clone());
    while let Some(event) = reader.next_event()? {
        let step = match event.op {
            Op::Alloc { id, size, zeroed, addr } => {
                pass.out.work_bytes += call_work(size) + if zeroed { u128::from(size) } else { 0 };
                pass.alloc(id, size, event.domain, addr, reader.budget())
            }
            Op::Realloc { id, size, addr } => pass.realloc(id, size, event.domain, addr, reader.budget()),
            Op::Free { id } => pass.free(id, reader.budget()),
            Op::GcStart { at_ns, .. } => {
                pass.collecting_since = Some(at_ns);
                pass.freed_bytes = 0;
                Ok(())
            }
            Op::GcStop { at_ns, generation, collected, uncollectable } => {
                pass.gc_stop(at_ns, generation, collected, uncollectable);
                Ok(())
            }
            Op::Phase { at_ns, label, rss_kib } => {
                let event = reader.events() - 1;
                pass.phase(label, event, at_ns, rss_kib, reader.budget())
            }
            Op::Unknown => {
                pass.out.unknown += 1;
                Ok(())
            }
        };
        step.map_err(|what| reader.error(what))?;
        pass.threads[event.thread as usize / 64] |= 1 << (event.thread % 64);
    }
    Ok(pass.finish(reader.events()))
}

/// What a live block is known by.
#[derive(Clone, Copy, Debug)]
struct Block {
    size: u64,
    domain: Domain,
    /// Whether pymalloc serves it, as far as sizes and addresses tell.
    pooled: bool,
    addr: u64,
}

struct Pass {
    out: Scan,
    live: Live,
    blocks: Vec<Block>,
    live_bytes: u128,
    collecting_since: Option<u64>,
    /// Bytes freed since then.
    freed_bytes: u128,
    threads: Box<[u64; 1024]>,
    recorded: Option<RecordedPools>,
}

type Step = Result<(), LiveError>;

impl Pass {
    fn new(header: Header) -> Self {
        let recorded = header.addresses.then(RecordedPools::new);
        let out = Scan {
            header,
            events: 0,
            allocations: 0,
            reallocs: 0,
            frees: 0,
            unknown: 0,
            threads: 0,
            live_at_end: 0,
            peak_live_blocks: 0,
            peak_live_bytes: 0,
            small_allocations: 0,
            small_bytes: 0,
            allocated_bytes: 0,
            work_bytes: 0,
            object_allocations: 0,
            objects_live_at_end: 0,
            collections: Collections::default(),
            deaths: Deaths::default(),
            phases: Vec::new(),
        };
        Self {
            out,
            live: Live::new(),
            blocks: Vec::new(),
            live_bytes: 0,
            collecting_since: None,
            freed_bytes: 0,
            threads: Box::new([0; 1024]),
            recorded,
        }
    }

    fn alloc(&mut self, id: u64, size: u64, domain: Domain, addr: Option<u64>, budget: &mut Budget) -> Step {
        let out = &mut self.out;
        out.allocations += 1;
        out.allocated_bytes += u128::from(size);
        if size <= SMALL {
            out.small_allocations += 1;
            out.small_bytes += u128::from(size);
        }
        if domain == Domain::Object {
            out.object_allocations += 1;
            out.objects_live_at_end += 1;
        }
        let pooled = domain.is_pymalloc() && (1..=SMALL).contains(&size);
        let block = Block { size, domain, pooled, addr: addr.unwrap_or(0) };
        let slot = self.live.add(id, budget)?;
        if slot.index() == self.blocks.len() {
            budget.reserve(&mut self.blocks, 1)?;
            self.blocks.push(block);
        } else {
            self.blocks[slot.index()] = block;
        }
        if let (true, Some(recorded), Some(addr)) = (pooled, &mut self.recorded, addr) {
            recorded.add(addr, budget)?;
        }
        self.resize(0, size);
        Ok(())
    }

    fn realloc(
        &mut self,
        id: u64,
        size: u64,
        domain: Domain,
        addr: Option<u64>,
        budget: &mut Budget,
    ) -> Step {
        self.out.reallocs += 1;
        let slot = self.live.get(id)?;
        let old = self.blocks[slot.index()];
        self.out.work_bytes += u128::from(old.size.min(size)) + call_work(old.size.max(size));
        let mut new = Block { size, domain, ..old };
        if let (true, Some(recorded), Some(addr)) = (old.pooled, &mut self.recorded, addr)
            && addr != old.addr
        {
            new.addr = addr;
            new.pooled = (1..=SMALL).contains(&size);
            recorded.remove(old.addr, budget);
            if new.pooled {
                recorded.add(addr, budget)?;
            }
        }
        self.out.objects_live_at_end -= u64::from(old.domain == Domain::Object);
        self.out.objects_live_at_end += u64::from(domain == Domain::Object);
        self.blocks[slot.index()] = new;
        self.resize(old.size, size);
        Ok(())
    }

    fn free(&mut self, id: u64, budget: &mut Budget) -> Step {
        let slot = self.live.remove(id, budget)?;
        let block = self.blocks[slot.index()];
        self.out.frees += 1;
        if block.domain == Domain::Object {
            self.out.objects_live_at_end -= 1;
            self.out.deaths.count += 1;
            self.out.deaths.collector += u64::from(self.collecting_since.is_some());
        }
        if let (true, Some(recorded)) = (block.pooled, &mut self.recorded) {
            recorded.remove(block.addr, budget);
        }
        self.live_bytes -= u128::from(block.size);
        self.freed_bytes += u128::from(block.size);
        self.out.work_bytes += call_work(block.size);
        Ok(())
    }

    fn resize(&mut self, old: u64, new: u64) {
        self.live_bytes = self.live_bytes - u128::from(old) + u128::from(new);
        self.out.peak_live_bytes = self.out.peak_live_bytes.max(saturated(self.live_bytes));
    }

    /// A stop whose start lies before the trace counts as a collection and adds no time.
    fn gc_stop(&mut self, at_ns: u64, generation: u8, collected: u64, uncollectable: u64) {
        let start = self.collecting_since.take();
        let pause = start.map_or(0, |start| at_ns - start);
        let freed = start.map_or(0, |_| saturated(self.freed_bytes));
        let done = &mut self.out.collections;
        done.freed_bytes = done.freed_bytes.saturating_add(freed);
        done.most_freed_bytes = done.most_freed_bytes.max(freed);
        done.by_generation[usize::from(generation)] += 1;
        done.total_ns += pause;
        done.longest_ns = done.longest_ns.max(pause);
        done.collected = done.collected.saturating_add(collected);
        done.uncollectable = done.uncollectable.saturating_add(uncollectable);
    }

    fn phase(&mut self, label: u32, event: u64, at_ns: u64, rss_kib: u64, budget: &mut Budget) -> Step {
        budget.reserve(&mut self.out.phases, 1)?;
        self.out.phases.push(Phase {
            label,
            event,
            at_ns,
            rss_kib: (rss_kib > 0).then_some(rss_kib),
            live_blocks: u64::from(self.live.len()),
            live_bytes: saturated(self.live_bytes),
            pools_recorded: self.recorded.as_ref().map(RecordedPools::in_use),
        });
        Ok(())
    }

    fn finish(mut self, events: u64) -> Scan {
        self.out.events = events;
        self.out.threads = self.threads.iter().map(|word| word.count_ones()).sum();
        self.out.live_at_end = u64::from(self.live.len());
        self.out.peak_live_blocks = u64::from(self.live.slots());
        self.out
    }
}

/// The work of a call on a block of `size` bytes, beside what it writes.
fn call_work(size: u64) -> u128 {
    /// glibc's `M_MMAP_THRESHOLD`.
    const LARGE: u64 = 128 << 10;
    if size >= LARGE { 16 << 10 } else { 0 }
}

/// Bytes for a report. No process has more than 64 bits of them; a trace may claim to.
fn saturated(bytes: u128) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

fn share(part: u128, whole: u128) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
