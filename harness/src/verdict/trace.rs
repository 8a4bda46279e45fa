//! The verdict on a trace: which layer holds the memory, and what to do.
//!
//! Three layers have a share each, and a share that would be alarming:
//!
//! ```text
//! layer      share                                                                  alarming from
//! allocator  held by pymalloc and not live, over held, at the mark where it is most       30 %
//! lifetime   live growth over marks of one label that stays to the end, over live         30 %
//! collector  deaths that waited for a collection, over all deaths                          5 %
//! ```
//!
//! The largest ratio of share to alarm names the layer; if none reaches 1, the layer is `elsewhere`. The alarm
//! for the collector is low because programs that are not built of cycles show 0.02 to 4.1 % (recordings of
//! flask, django, sqlalchemy, mypy, black and others under CPython 3.12).

use super::candidate::{ALARMING_SHARE, Candidate, Facts, candidate, choose};
use crate::record::{CollectionsRecord, DeathsRecord, Fact, Layer, PhaseRecord, Step, Unit, Verdict};
use crate::units;

/// Deaths that wait for the collector, from this share on.
const ALARMING_DEATHS: f64 = 0.05;
/// Marks of one label that it takes to speak of growth.
const FEWEST_MARKS: usize = 4;
/// Share of the steps between them that must go up.
const STEADY: f64 = 0.75;

/// What a verdict is computed from.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// The marks of the trace.
    pub phases: &'a [PhaseRecord],
    /// How its objects died.
    pub deaths: DeathsRecord,
    /// What its collector did.
    pub collections: CollectionsRecord,
}

/// The verdict on a trace.
pub fn verdict(evidence: &Evidence<'_>) -> Verdict {
    let candidates =
        [idle_memory(evidence), steady_growth(evidence), waiting_garbage(evidence)].map(Option::into_iter);
    choose(candidates.into_iter().flatten().collect(), 1.0, |facts| elsewhere(facts, evidence))
}

/// The allocator: free memory in arenas that cannot go back.
fn idle_memory(evidence: &Evidence<'_>) -> Option<Candidate> {
    let idle = |phase: &PhaseRecord| phase.pymalloc_held_bytes.saturating_sub(phase.live_bytes);
    let most_idle = evidence.phases.iter().map(idle).max()?;
    // The first mark that is about as bad: there it began.
    let worst = evidence.phases.iter().find(|phase| idle(phase) as f64 >= 0.99 * most_idle as f64)?;
    let peak = evidence.phases.iter().map(|phase| phase.pymalloc_held_bytes).max()?;
    let most_arenas = evidence.phases.iter().map(|phase| phase.arenas_model).max()?;
    let share = idle(worst) as f64 / worst.pymalloc_held_bytes.max(1) as f64;
    let saving = worst.pymalloc_held_bytes.saturating_sub(worst.cpymem_held_bytes);

    let mut facts = Facts::default();
    let live = facts.bytes("live_bytes", worst.live_bytes);
    let held = facts.bytes("pymalloc_held_bytes", worst.pymalloc_held_bytes);
    let idle = facts.bytes("idle_bytes", idle(worst));
    let pools = facts.count("pools", worst.pools_model);
    let arenas = facts.count("arenas", worst.arenas_model);
    let most_arenas = facts.count("most_arenas", most_arenas);
    let peak = facts.bytes("peak_held_bytes", peak);
    let ours = facts.bytes("cpymem_held_bytes", worst.cpymem_held_bytes);
    let percent = facts.share("idle_share", share);
    let saved = facts.bytes("expected_bytes", saving);
    let label = units::printable(&worst.label);
    let sentences = [
        format!(
            "at '{label}' {live} are live and pymalloc holds {held}: {pools} pools in use keep {arenas} of up \
             to {most_arenas} arenas"
        ),
        "an arena goes back to the system only when its last block is freed; single blocks that live on, often \
         of free lists, keep the others"
            .to_owned(),
        format!(
            "{idle} ({percent} of what is held) serve nobody, RSS stays near its peak of {peak} held; the same \
             calls on a heap that returns single pools hold {ours} there"
        ),
    ];
    let action = format!(
        "call gc.collect() right after the bulk deletion, which also empties the free lists; if RSS stays, run \
         under an allocator that returns pages: up to {saved}"
    );
    let step = Step { action, expected_bytes: Some(saving) };
    candidate(Layer::Allocator, (share, ALARMING_SHARE), facts, sentences, step)
}

/// The lifetime of objects: live memory that grows with every round and stays.
fn steady_growth(evidence: &Evidence<'_>) -> Option<Candidate> {
    let rounds = longest_round(evidence.phases)?;
    let (first, last) = (rounds.first()?.live_bytes, rounds.last()?.live_bytes);
    let steps = rounds.len() as u64 - 1;
    let rising = rounds.windows(2).filter(|pair| pair[1].live_bytes > pair[0].live_bytes).count() as u64;
    let end = evidence.phases.last()?.live_bytes;
    let stays = end.min(last).saturating_sub(first);
    let steady = rising as f64 >= STEADY * steps as f64;
    let share = if steady { stays as f64 / end.max(1) as f64 } else { 0.0 };

    let mut facts = Facts::default();
    let from = facts.bytes("first_live_bytes", first);
    let to = facts.bytes("last_live_bytes", last);
    let each = facts.bytes("growth_per_round_bytes", last.saturating_sub(first) / steps.max(1));
    let rising = facts.count("rising_rounds", rising);
    let steps = facts.count("rounds", steps);
    let stayed = facts.bytes("growth_that_stays_bytes", stays);
    let percent = facts.share("growth_share", share);
    let label = units::printable(&rounds.first()?.label);
    let sentences = [
        format!(
            "live memory went from {from} to {to} over the marks '{label}', up in {rising} of {steps} rounds \
             and by {each} a round"
        ),
        "objects that something still refers to: a cache without a bound, a list that only grows, exceptions \
         that are kept with their frames"
            .to_owned(),
        format!(
            "{stayed} ({percent} of what is live) are still there at the end, after the last collection; no \
             allocator and no collector may free them"
        ),
    ];
    let action = format!(
        "dump the heap twice, some rounds apart, and see which owners grow; bounding them keeps {stayed}"
    );
    let step = Step { action, expected_bytes: Some(stays) };
    candidate(Layer::Lifetime, (share, ALARMING_SHARE), facts, sentences, step)
}

/// The most numerous marks of one label, if there are enough to speak of rounds.
fn longest_round(phases: &[PhaseRecord]) -> Option<Vec<&PhaseRecord>> {
    let of = |label: &str| -> Vec<&PhaseRecord> { phases.iter().filter(|p| p.label == label).collect() };
    let rounds = phases.iter().map(|phase| of(&phase.label)).max_by_key(Vec::len)?;
    (rounds.len() >= FEWEST_MARKS).then_some(rounds)
}

/// The collector: objects that counting alone cannot free.
fn waiting_garbage(evidence: &Evidence<'_>) -> Option<Candidate> {
    let (deaths, collections) = (evidence.deaths, evidence.collections);
    let share = deaths.collector_share?;
    let passes: u64 = collections.by_generation.iter().sum();

    let mut facts = Facts::default();
    let percent = facts.share("collector_share", share);
    let alarm = facts.share("ordinary_share_at_most", ALARMING_DEATHS);
    let waited = facts.count("deaths_by_collector", deaths.collector);
    let all = facts.count("deaths", deaths.count);
    let passes = facts.count("collections", passes);
    let total = facts.add("collection_time_ns", collections.total_ns as f64, Unit::Ns);
    let longest = facts.add("longest_collection_ns", collections.longest_ns as f64, Unit::Ns);
    let freed = facts.bytes("freed_by_collections_bytes", collections.freed_bytes);
    let most = facts.bytes("most_freed_by_one_collection_bytes", collections.most_freed_bytes);
    let sentences = [
        format!(
            "{waited} of {all} deaths ({percent}) had to wait for the cycle collector; programs that are not \
             built of cycles stay below {alarm}"
        ),
        "objects that refer to each other in a circle: parents and children, listeners, exceptions and their \
         frames; their counts never fall to zero"
            .to_owned(),
        format!(
            "{passes} collections took {total}, the longest {longest}; they freed {freed} in all and up to \
             {most} at once, which is garbage that had stayed until then"
        ),
    ];
    let action = format!(
        "break the circle where it is closed (weakref for the way back, or clear it when done), then raise \
         gc.set_threshold; until then up to {most} wait at any time"
    );
    let step = Step { action, expected_bytes: Some(collections.most_freed_bytes) };
    candidate(Layer::Collector, (share, ALARMING_DEATHS), facts, sentences, step)
}

/// None of the layers is alarming.
fn elsewhere(mut known: Vec<Fact>, evidence: &Evidence<'_>) -> Verdict {
    let mut facts = Facts::default();
    let shown: Vec<String> = [
        ("idle_share", "of what pymalloc holds is idle"),
        ("growth_share", "of what is live is growth that stays"),
        ("collector_share", "of the deaths wait for the collector"),
    ]
    .iter()
    .filter_map(|(name, what)| {
        let fact = known.iter().find(|fact| fact.name == *name)?;
        Some(format!("{} {what}", units::fact(fact)))
    })
    .collect();
    let state =
        if shown.is_empty() { "the trace has no marks and no deaths".to_owned() } else { shown.join(", ") };
    let live = evidence.phases.last().map_or(0, |phase| phase.live_bytes);
    let live = facts.bytes("end_live_bytes", live);
    known.append(&mut facts.0);
    Verdict {
        layer: Layer::Elsewhere,
        state,
        trigger: "the program uses what it has asked for".to_owned(),
        consequence: format!("memory management is not the bottleneck; {live} are live at the end"),
        step: Step { action: "profile CPU and I/O instead".to_owned(), expected_bytes: None },
        confidence: 0.0,
        confidence_reason: String::new(),
        facts: known,
    }
}
