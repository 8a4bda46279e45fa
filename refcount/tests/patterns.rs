//! Every pattern, small, with every subject.
#![cfg(feature = "patterns")]

use cpymem_refcount::patterns::{PATTERNS, subjects};

#[test]
fn every_answer_is_right() {
    let mut played = 0;
    for subject in subjects() {
        for pattern in PATTERNS.iter().filter(|pattern| subject.plays(pattern)) {
            let outcome = subject.run(pattern, 20_000).unwrap();
            let name = format!("{} {}", subject.name(), pattern.name);
            assert_eq!(outcome.wrong, 0, "{name}");
            assert!(outcome.operations >= 20_000 && !outcome.elapsed.is_zero(), "{name}");
            assert_eq!(outcome.made, outcome.destroyed, "{name}");
            assert_eq!(outcome.made > 0, pattern.name.starts_with("hand-over"), "{name}");
            played += 1;
        }
        assert!(
            PATTERNS
                .iter()
                .filter(|pattern| !subject.plays(pattern))
                .all(|pattern| subject.run(pattern, 1).is_none())
        );
    }
    assert!(played >= 40, "{played}");
}

/// Every pattern is played by one of ours and by one of `std`'s, if it is not about strings.
#[test]
fn nobody_is_left_out() {
    for pattern in PATTERNS {
        let players: Vec<_> = subjects()
            .iter()
            .filter(|subject| subject.plays(pattern))
            .map(|subject| subject.name())
            .collect();
        assert!(players.iter().any(|name| name.starts_with("cpymem")), "{}", pattern.name);
        assert!(
            pattern.name.starts_with("intern") || players.iter().any(|name| name.starts_with("std")),
            "{}",
            pattern.name
        );
        assert!((1..=2).contains(&pattern.threads) && !pattern.about.is_empty());
    }
}
