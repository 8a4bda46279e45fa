//! The layer that holds the memory, in sentences.

use super::growth::Growth;
use super::portrait::Portrait;
use crate::record::{Fact, Layer, Step, Unit, Verdict};
use crate::record_explain::{LayerRecord, RemedyRecord};
use crate::units;
use crate::verdict::candidate::{ALARMING_SHARE, Candidate, Facts, candidate, certainty, choose, name};

/// Growth of living objects, as a share of resident memory, from which on it is the matter.
const ALARMING_GROWTH: f64 = 0.02;
/// Smaller growth is noise.
const LEAST_GROWTH: u64 = 64 << 10;

/// Each layer's part of resident memory.
pub(super) fn layers(portrait: &Portrait, growth: &Growth) -> Vec<LayerRecord> {
    let rss = &portrait.rss;
    let term = |bytes: Option<u64>| bytes.unwrap_or(0);
    let imported = portrait.known.mappings.map_or(0, |it| it.files.saturating_sub(it.interpreter_files));
    let data = portrait.with_unseen(portrait.live.data);
    let parts = [
        (Layer::Lifetime, data.max(if growth.is_steady() { growth.bytes() } else { 0 })),
        (Layer::Collector, term(rss.garbage)),
        (Layer::Allocator, pools_idle(portrait).saturating_add(term(rss.libc))),
        (Layer::Class, portrait.with_unseen(portrait.live.instances)),
        (Layer::Packaging, portrait.with_unseen(portrait.live.code).saturating_add(imported)),
    ];
    let share = |bytes: u64| rss.total.filter(|&total| total > 0).map(|total| bytes as f64 / total as f64);
    parts.into_iter().map(|(layer, bytes)| LayerRecord { layer, bytes, share: share(bytes) }).collect()
}

fn pools_idle(portrait: &Portrait) -> u64 {
    portrait.rss.pool_free.unwrap_or(0).saturating_add(portrait.rss.overhead.unwrap_or(0))
}

/// The verdict: the layer whose share is most alarming, and the first remedy that acts there.
pub(super) fn verdict(
    portrait: &Portrait,
    growth: &Growth,
    layers: &[LayerRecord],
    remedies: &[RemedyRecord],
) -> Verdict {
    let evidence = Evidence { portrait, growth, remedies };
    let grows = evidence.growth_share();
    let candidates = layers.iter().filter_map(|part| {
        let share = part.bytes as f64 / evidence.total().max(1) as f64;
        match part.layer {
            Layer::Lifetime if grows.is_some() => evidence.steady_growth(grows?),
            Layer::Lifetime => evidence.living_data(part.bytes, share),
            Layer::Collector => evidence.waiting_garbage(part.bytes, share),
            Layer::Allocator => evidence.idle_memory(part.bytes, share),
            Layer::Class => evidence.instances(part.bytes, share),
            Layer::Packaging => evidence.imports(part.bytes, share),
            Layer::Elsewhere => None,
        }
    });
    // Where a term of RSS is alarming, the largest layer is named even if it is not.
    let least = if evidence.has_large_term() { f64::MIN_POSITIVE } else { 1.0 };
    let mut verdict = choose(candidates.collect(), least, |facts| evidence.elsewhere(layers, facts));
    evidence.doubts(&mut verdict);
    verdict
}

struct Evidence<'a> {
    portrait: &'a Portrait,
    growth: &'a Growth,
    remedies: &'a [RemedyRecord],
}

impl Evidence<'_> {
    /// Resident memory; without mappings, what the dump knows.
    fn total(&self) -> u64 {
        self.portrait.rss.total.unwrap_or_else(|| self.portrait.rss.sum())
    }

    /// The same in words.
    fn whole(&self, facts: &mut Facts) -> String {
        match self.portrait.rss.total {
            Some(total) => format!("{} RSS", facts.bytes("rss_bytes", total)),
            None => format!("{} that the dump knows of", facts.bytes("known_bytes", self.portrait.rss.sum())),
        }
    }

    /// Whether one term is a large part of all.
    fn has_large_term(&self) -> bool {
        let terms = self.portrait.rss.terms();
        let largest = terms.iter().filter_map(|(_, bytes)| *bytes).max().unwrap_or(0);
        largest as f64 > ALARMING_SHARE * self.total() as f64
    }

    /// Growth over resident memory, if living memory rises with every dump.
    fn growth_share(&self) -> Option<f64> {
        let share = self.growth.bytes() as f64 / self.total().max(1) as f64;
        let matters =
            self.growth.is_steady() && self.growth.bytes() >= LEAST_GROWTH && share >= ALARMING_GROWTH;
        matters.then_some(share)
    }

    fn step(&self, layer: Layer) -> Step {
        let first = self.remedies.iter().find(|remedy| remedy.layer == layer);
        match first {
            Some(remedy) => Step { action: remedy.action.clone(), expected_bytes: remedy.expected_bytes },
            None => Step { action: "take a second dump later and compare".to_owned(), expected_bytes: None },
        }
    }

    fn steady_growth(&self, share: f64) -> Option<Candidate> {
        let growth = self.growth;
        let mut facts = Facts::default();
        let first = facts.bytes("first_live_bytes", *growth.live.first()?);
        let last = facts.bytes("last_live_bytes", *growth.live.last()?);
        let dumps = facts.count("dumps", growth.live.len() as u64);
        let percent = facts.share("growth_share", share);
        let rss = self.whole(&mut facts);
        let owners: Vec<String> = growth
            .owners
            .iter()
            .take(3)
            .map(|owner| {
                let more = units::bytes(owner.bytes_delta);
                match (owner.entries.first().copied().flatten(), owner.entries.last().copied().flatten()) {
                    (Some(a), Some(b)) if b > a => {
                        format!(
                            "{} (+{more}, {} to {} entries)",
                            owner.path,
                            units::count(a),
                            units::count(b)
                        )
                    }
                    _ => format!("{} (+{more})", owner.path),
                }
            })
            .collect();
        let named: u64 = growth.owners.iter().fold(0, |sum, owner| sum.saturating_add(owner.bytes_delta));
        facts.bytes("named_growth_bytes", named);
        let sentences = [
            format!("living objects went from {first} to {last} over {dumps} dumps, more in each, of {rss}"),
            if owners.is_empty() {
                "nothing with a name grows: what does is held from C, or by objects of many owners".to_owned()
            } else {
                format!("what is put in and never taken out: {}", owners.join(", "))
            },
            format!(
                "{percent} of {rss} came between the dumps, and as much will come again; no allocator and no collector may \
                 free what something refers to"
            ),
        ];
        // Growth is what never stops by itself: it counts for as much as three times its alarm says.
        candidate(
            Layer::Lifetime,
            (share.max(3.0 * ALARMING_GROWTH), ALARMING_GROWTH),
            facts,
            sentences,
            self.step(Layer::Lifetime),
        )
    }

    fn living_data(&self, bytes: u64, share: f64) -> Option<Candidate> {
        let mut facts = Facts::default();
        let data = facts.bytes("living_data_bytes", bytes);
        let percent = facts.share("living_data_share", share);
        let rss = self.whole(&mut facts);
        let largest = self
            .portrait
            .owners
            .iter()
            .filter(|owner| owner.entries > 0)
            .max_by_key(|owner| owner.sure_bytes());
        let trigger = match largest {
            Some(owner) => format!(
                "objects that something still refers to; the largest owner is {} with {} in {} entries",
                owner.path,
                facts.bytes("largest_owner_bytes", owner.sure_bytes()),
                facts.count("largest_owner_entries", owner.entries),
            ),
            None => "objects that something still refers to".to_owned(),
        };
        let sentences = [
            format!("{data} ({percent} of {rss}) are living data"),
            trigger,
            "they stay as long as they are referred to; whether they grow takes a second dump".to_owned(),
        ];
        candidate(Layer::Lifetime, (share, ALARMING_SHARE), facts, sentences, self.step(Layer::Lifetime))
    }

    fn waiting_garbage(&self, bytes: u64, share: f64) -> Option<Candidate> {
        let dead = &self.portrait.garbage;
        let mut facts = Facts::default();
        let found = facts.count("garbage_found", dead.found);
        let waits = facts.bytes("garbage_bytes", bytes);
        let percent = facts.share("garbage_share", share);
        let rss = self.whole(&mut facts);
        let types: Vec<String> =
            dead.types.iter().take(3).map(|(class, n)| format!("{class} ({})", units::count(*n))).collect();
        let off = match self.portrait.header.gc_enabled {
            Some(false) => "the collector is off; ",
            _ => "",
        };
        let sentences = [
            format!("{found} objects that only cycles keep take {waits} ({percent} of {rss})"),
            format!(
                "{off}objects that refer to each other in a circle, so that their counts never fall to zero: {}",
                types.join(", ")
            ),
            "they stay until the collector comes by; what they took is then free for new objects".to_owned(),
        ];
        candidate(Layer::Collector, (share, ALARMING_SHARE), facts, sentences, self.step(Layer::Collector))
    }

    fn idle_memory(&self, bytes: u64, share: f64) -> Option<Candidate> {
        let rss = &self.portrait.rss;
        let pools_idle = pools_idle(self.portrait);
        let mut facts = Facts::default();
        let idle = facts.bytes("idle_bytes", bytes);
        let percent = facts.share("idle_share", share);
        let of = self.whole(&mut facts);
        let in_pools = facts.bytes("idle_pool_bytes", pools_idle);
        let libc = facts.bytes("libc_bytes", rss.libc.unwrap_or(0));
        let (trigger, consequence) = match self.portrait.known.pools {
            Some(pools) if pools_idle >= rss.libc.unwrap_or(0) => {
                let arenas = facts.count("arenas", pools.arenas);
                let used = facts.bytes("allocated_bytes", pools.allocated);
                (
                    format!("blocks that live on are scattered: {used} in use keep all {arenas} arenas"),
                    "an arena goes back only when its last block is freed; until then RSS stays, though new objects \
                     will find room"
                        .to_owned(),
                )
            }
            _ => (
                "memory that the C library's malloc keeps: freed by Python or by extensions and not returned, or in \
                 use by libraries that no Python object accounts for"
                    .to_owned(),
                "RSS stays at its peak although no Python object needs it".to_owned(),
            ),
        };
        let state = format!(
            "{idle} ({percent} of {of}) belong to allocators and to no object: {in_pools} of pymalloc, {libc} of \
             the C library"
        );
        candidate(
            Layer::Allocator,
            (share, ALARMING_SHARE),
            facts,
            [state, trigger, consequence],
            self.step(Layer::Allocator),
        )
    }

    fn instances(&self, bytes: u64, share: f64) -> Option<Candidate> {
        let mut facts = Facts::default();
        let all = facts.bytes("instances_bytes", bytes);
        let percent = facts.share("instances_share", share);
        let rss = self.whole(&mut facts);
        let saving: u64 = self.portrait.classes.iter().fold(0, |sum, class| sum.saturating_add(class.saving));
        let saved = facts.bytes("slots_saving_bytes", saving);
        let largest = self.portrait.classes.first().map(|class| {
            format!(
                "; most in {}: {} instances",
                class.name,
                facts.count("largest_class_instances", class.instances)
            )
        });
        let sentences = [
            format!(
                "{all} ({percent} of {rss}) are instances of classes written in Python, without their values"
            ),
            format!("each has a dict or room for one{}", largest.unwrap_or_default()),
            format!("slots would save {saved}; fewer instances would save the rest"),
        ];
        candidate(Layer::Class, (share, ALARMING_SHARE), facts, sentences, self.step(Layer::Class))
    }

    fn imports(&self, bytes: u64, share: f64) -> Option<Candidate> {
        let mut facts = Facts::default();
        let all = facts.bytes("imports_bytes", bytes);
        let percent = facts.share("imports_share", share);
        let rss = self.whole(&mut facts);
        let names: Vec<String> = self
            .portrait
            .packages
            .iter()
            .take(3)
            .map(|it| format!("{} ({})", it.name, units::bytes(it.bytes.saturating_add(it.file_bytes))))
            .collect();
        let sentences = [
            format!("{all} ({percent} of {rss}) are imported: code, types, and libraries"),
            if names.is_empty() {
                "modules that the program imports".to_owned()
            } else {
                format!("modules that the program imports; by what would go with them: {}", names.join(", "))
            },
            "every worker has it from its start on, however little it does; it does not grow".to_owned(),
        ];
        candidate(Layer::Packaging, (share, ALARMING_SHARE), facts, sentences, self.step(Layer::Packaging))
    }

    fn elsewhere(&self, layers: &[LayerRecord], mut known: Vec<Fact>) -> Verdict {
        let mut facts = Facts::default();
        let total = self.whole(&mut facts);
        let share = |bytes: u64| units::share(bytes as f64 / self.total().max(1) as f64);
        let shares: Vec<String> =
            layers.iter().map(|part| format!("{} {}", name(part.layer), share(part.bytes))).collect();
        let own = self.portrait.known.mappings.map_or(0, |mappings| mappings.interpreter_files);
        let own = facts.bytes("interpreter_files_bytes", own);
        known.append(&mut facts.0);
        Verdict {
            layer: Layer::Elsewhere,
            state: format!("of {total} {}; the files of the interpreter itself are {own}", shares.join(", ")),
            trigger: "the program uses what it has asked for".to_owned(),
            consequence: "no term holds 30 % and nothing grows: memory management is not the bottleneck"
                .to_owned(),
            step: Step {
                action: "profile CPU and I/O instead; if RSS rises, dump twice, some time apart".to_owned(),
                expected_bytes: None,
            },
            confidence: 0.0,
            confidence_reason: String::new(),
            facts: known,
        }
    }

    /// Takes from the confidence what the dump does not tell.
    fn doubts(&self, verdict: &mut Verdict) {
        let portrait = self.portrait;
        let mut confidence = verdict.confidence;
        let mut reasons = vec![std::mem::take(&mut verdict.confidence_reason)];
        if let Some(total) = portrait.rss.total.filter(|&total| total > 0) {
            let unknown =
                portrait.rss.live_unseen.unwrap_or(0).saturating_add(portrait.rss.rest.unwrap_or(0));
            let share = unknown as f64 / total as f64;
            verdict.facts.push(Fact { name: "unaccounted_share", value: Some(share), unit: Unit::Share });
            confidence *= 1.0 - share.min(0.9);
            reasons.push(format!("{} of RSS is in no object and no known free memory", units::share(share)));
            if portrait.rss.live_unseen.is_none() {
                confidence *= 0.7;
                reasons.push("pymalloc's own figures are missing".to_owned());
            }
        } else {
            confidence *= 0.3;
            reasons.push("resident memory is unknown: shares are of what the dump knows".to_owned());
        }
        if !portrait.exact {
            confidence *= 0.5;
            reasons.push("counts of a build without the GIL are not exact".to_owned());
        }
        if !portrait.named {
            confidence *= 0.8;
            reasons.push("the dump has no names of owners".to_owned());
        }
        verdict.confidence = certainty(confidence);
        verdict.confidence_reason = reasons.join("; ");
    }
}

/// What the input does not tell.
pub(super) fn notes(portraits: &[Portrait]) -> Vec<String> {
    let mut notes = Vec::new();
    for portrait in portraits {
        let path = &portrait.input.path;
        if !portrait.exact {
            notes
                .push(format!("{path}: from a build without the GIL: counts, and so garbage, are not exact"));
        }
        if let Some(target) = portrait.taken_for {
            let python = portrait.header.python.as_deref().unwrap_or("of no known version");
            notes.push(format!(
                "{path}: CPython {python} is not known; sizes are those of {}",
                target.label()
            ));
        }
        if !portrait.named {
            notes.push(format!("{path}: keys are not named in this dump; owners go by module and type"));
        }
        if portrait.known.mappings.is_none() {
            notes.push(format!("{path}: no mappings: what is resident is unknown"));
        } else if portrait.known.pools.is_none() {
            notes.push(format!("{path}: no figures of pymalloc: its free memory is in `rest`"));
        }
    }
    let pids: Vec<u64> = portraits.iter().filter_map(|portrait| portrait.header.pid).collect();
    if pids.windows(2).any(|pair| pair[0] != pair[1]) {
        notes.push("the dumps are of different processes: growth compares one with another".to_owned());
    }
    notes
}
