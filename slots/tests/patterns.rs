//! Every pattern, small: answers are right, bytes are the same in every run, and a wrong answer would be counted.

use cpymem_slots::patterns::{
    Attribute, Goal, InlineProfile, Layout, PATTERNS, Plain, Scale, SlotInstance, SlotObject, Source, cpython,
};

#[test]
fn every_subject_answers_right_and_holds_the_same_bytes_each_time() {
    let scale = Scale::new(0.001);
    for pattern in PATTERNS {
        for subject in pattern.subjects {
            let (first, second) = (subject.run(scale), subject.run(scale));
            assert_eq!((first.wrong, second.wrong), (0, 0), "{} {}", pattern.name, subject.name);
            assert!(first.operations > 0 && !first.elapsed.is_zero(), "{} {}", pattern.name, subject.name);
            assert_eq!(first.operations, second.operations);
            if subject.name != "HashMap" {
                assert_eq!(first.bytes, second.bytes, "{} {}", pattern.name, subject.name);
            }
        }
    }
}

#[test]
fn goals_name_subjects_of_their_pattern() {
    for pattern in PATTERNS {
        let known = |name: &str| pattern.subjects.iter().any(|subject| subject.name == name);
        for goal in pattern.goals {
            match *goal {
                Goal::Time { subject, over, .. } => {
                    assert!(known(subject) && (over == "CPython" || known(over)))
                }
                Goal::Bytes { subject, .. } => assert!(known(subject)),
            }
        }
    }
}

#[test]
fn layouts_ask_for_what_is_written_on_them() {
    fn bytes<L: Layout>() -> u64 {
        let mut layout = L::new();
        let objects: Vec<L::Object> = (0..60).map(|i| layout.make(Source(100 + i))).collect();
        let (last, source) = (&objects[59], Source(159));
        for attribute in [Attribute::Name, Attribute::Age, Attribute::Token] {
            assert_eq!(layout.read(last, attribute), source.weight(attribute));
        }
        let texts = source.name_value().footprint().bytes + source.token_value().footprint().bytes;
        layout.bytes(last) - texts as u64
    }
    assert_eq!(bytes::<Plain>(), 24);
    assert_eq!(bytes::<SlotObject>(), 32);
    assert_eq!(bytes::<SlotInstance>(), 40);
    assert_eq!(bytes::<InlineProfile>(), 64);
}

#[test]
fn the_script_measures_the_same_patterns() {
    let python = std::env::var("CPYMEM_PYTHON").unwrap_or_else(|_| "python3".into());
    let Ok(rows) = cpython::measure(&python, Scale::new(0.001)) else {
        eprintln!("skipped: `{python}` cannot be run; CPYMEM_PYTHON names another");
        return;
    };
    for row in rows {
        assert!(PATTERNS.iter().any(|pattern| pattern.name == row.pattern), "{row:?}");
        assert!(row.ns.is_finite() && row.ns >= 0.0, "{row:?}");
    }
    assert!(cpython::measure("/nonexistent/python", Scale::ONE).is_err());
}
