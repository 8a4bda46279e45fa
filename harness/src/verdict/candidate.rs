//! Layers that could be to blame, and the choice between them.

use crate::record::{Fact, Layer, Step, Unit, Verdict};
use crate::units;

/// Bytes held for nothing, or growth that stays, from this share on.
pub(crate) const ALARMING_SHARE: f64 = 0.30;

/// A confidence is never 0 and never 1, and two decimals are more than it deserves.
pub(crate) fn certainty(lead: f64) -> f64 {
    (lead.clamp(0.05, 0.95) * 100.0).round() / 100.0
}

/// A layer with its share.
pub(crate) struct Candidate {
    share: f64,
    alarm: f64,
    facts: Facts,
    verdict: Verdict,
}

impl Candidate {
    /// 1 where the share begins to be alarming.
    fn score(&self) -> f64 {
        self.share / self.alarm
    }
}

/// Numbers by name; each is printed exactly as [`units::fact`] shows it.
#[derive(Default)]
pub(crate) struct Facts(pub(crate) Vec<Fact>);

impl Facts {
    pub(crate) fn add(&mut self, name: &'static str, value: f64, unit: Unit) -> String {
        let fact = Fact { name, value: Some(value), unit };
        let shown = units::fact(&fact);
        self.0.push(fact);
        shown
    }

    pub(crate) fn bytes(&mut self, name: &'static str, value: u64) -> String {
        self.add(name, value as f64, Unit::Bytes)
    }

    pub(crate) fn count(&mut self, name: &'static str, value: u64) -> String {
        self.add(name, value as f64, Unit::Count)
    }

    pub(crate) fn share(&mut self, name: &'static str, value: f64) -> String {
        self.add(name, value, Unit::Share)
    }
}

/// A layer, its share and from where on that would be alarming, and the verdict if it is chosen: state, trigger and
/// consequence, and the step.
pub(crate) fn candidate(
    layer: Layer,
    (share, alarm): (f64, f64),
    facts: Facts,
    sentences: [String; 3],
    step: Step,
) -> Option<Candidate> {
    let [state, trigger, consequence] = sentences;
    // Confidence and facts are filled in by `choose`.
    let verdict = Verdict {
        layer,
        state,
        trigger,
        consequence,
        step,
        confidence: 0.0,
        confidence_reason: String::new(),
        facts: Vec::new(),
    };
    Some(Candidate { share, alarm, facts, verdict })
}

/// The verdict of the layer whose share is most over what would be alarming; `elsewhere` if none reaches `least` times
/// that.
pub(crate) fn choose(
    mut candidates: Vec<Candidate>,
    least: f64,
    elsewhere: impl FnOnce(Vec<Fact>) -> Verdict,
) -> Verdict {
    candidates.sort_by(|a, b| b.score().total_cmp(&a.score()));
    let facts: Vec<Fact> = candidates.iter().flat_map(|candidate| candidate.facts.0.clone()).collect();
    let second = candidates.get(1).map_or(0.0, Candidate::score);
    let next = candidates.get(1).map(|next| name(next.verdict.layer));
    match candidates.into_iter().next().filter(|first| first.score() >= least) {
        Some(first) => {
            let (score, layer) = (first.score(), name(first.verdict.layer));
            let reason = match next.filter(|_| second > 0.0) {
                Some(next) => {
                    format!("{layer} is at {score:.1} times what is alarming, {next} next at {second:.1}")
                }
                None => format!("{layer} is at {score:.1} times what is alarming, nothing else is near"),
            };
            let confidence = certainty(1.0 - second / score);
            Verdict { confidence, confidence_reason: reason, facts, ..first.verdict }
        }
        first => {
            let score = first.as_ref().map_or(0.0, Candidate::score);
            let verdict = elsewhere(facts);
            let reason = match first {
                Some(first) => {
                    let layer = name(first.verdict.layer);
                    format!("the nearest layer, {layer}, is at {score:.1} times what would be alarming")
                }
                None => "no layer could be judged".to_owned(),
            };
            Verdict { confidence: certainty(1.0 - score), confidence_reason: reason, ..verdict }
        }
    }
}

/// The word for a layer.
pub(crate) fn name(layer: Layer) -> &'static str {
    match layer {
        Layer::Lifetime => "lifetime",
        Layer::Collector => "collector",
        Layer::Allocator => "allocator",
        Layer::Class => "class",
        Layer::Packaging => "packaging",
        Layer::Elsewhere => "elsewhere",
    }
}
