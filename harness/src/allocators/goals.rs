//! Geometric means, and what should hold.

use super::entrants::{Entrant, Role};
use super::record::{Goal, Group, Mean, Row};
use crate::statistics::geometric_mean;

const ALL: &str = "patterns, one and two threads";

/// The means over groups of rows.
pub(super) fn means(rows: &[Row], entrants: &[Entrant<'_>]) -> Vec<Mean> {
    let groups = [
        ("patterns, one thread", &[Group::OneThread][..]),
        ("patterns, two threads", &[Group::TwoThreads]),
        (ALL, &[Group::OneThread, Group::TwoThreads]),
        ("replays, net", &[Group::Replay]),
    ];
    groups
        .into_iter()
        .map(|(over, groups)| {
            let rows: Vec<&Row> = rows.iter().filter(|row| groups.contains(&row.group)).collect();
            mean(over, &rows, entrants)
        })
        .filter(|mean| mean.rows > 0)
        .collect()
}

/// The geometric mean of one allocator's times, if it has one in each row.
fn mean_time(rows: &[&Row], allocator: &str) -> Option<f64> {
    let times: Option<Vec<f64>> = rows.iter().map(|row| row.net(allocator)).collect();
    geometric_mean(times?)
}

fn mean(over: &'static str, rows: &[&Row], entrants: &[Entrant<'_>]) -> Mean {
    let name_of = |role| entrants.iter().find(|entrant| entrant.role == role).map(|entrant| entrant.name);
    let ours = name_of(Role::Ours).and_then(|name| mean_time(rows, name));
    let heap = name_of(Role::Beside).and_then(|name| mean_time(rows, name));
    let rivals = || entrants.iter().filter(|entrant| entrant.role == Role::Rival);
    let ours_over: Vec<(&str, f64)> =
        rivals().filter_map(|rival| Some((rival.name, ours? / mean_time(rows, rival.name)?))).collect();
    let best = ours_over.iter().copied().max_by(|one, other| one.1.total_cmp(&other.1));
    let least = |row: &&Row| {
        let times = rivals().filter_map(|rival| row.net(rival.name));
        times.min_by(f64::total_cmp)
    };
    let best_times: Option<Vec<f64>> = rows.iter().map(least).collect();
    let best_of_each = best_times.and_then(geometric_mean);
    Mean {
        over,
        rows: rows.len(),
        best_rival: best.map(|(name, _)| name),
        ours_over_best_rival: best.map(|(_, ratio)| ratio),
        ours_over_best_of_each: ours.zip(best_of_each).map(|(ours, best)| ours / best),
        heap_over_best_of_each: heap.zip(best_of_each).map(|(heap, best)| heap / best),
        ours_over,
    }
}

/// What should hold, on the rows that there are.
pub(super) fn goals(rows: &[Row], means: &[Mean]) -> Vec<Goal> {
    let mean = |over| means.iter().find(|mean| mean.over == over);
    let row = |name: &str| rows.iter().find(|row| row.name == name);
    let ratio = |name: &str| row(name).and_then(|row| row.ours_over_best);
    let rival = |name: &str| row(name).and_then(|row| row.best_rival).unwrap_or("?");

    let whole = mean(ALL);
    let mut goals = vec![
        Goal {
            goal: "geometric mean over the patterns, over the best rival's".to_owned(),
            limit: 0.75,
            measured: whole.and_then(|mean| mean.ours_over_best_rival),
            detail: whole.and_then(|mean| mean.best_rival).unwrap_or_default().to_owned(),
        },
        Goal {
            goal: "geometric mean over the patterns, over the best rival on each".to_owned(),
            limit: 0.90,
            measured: whole.and_then(|mean| mean.ours_over_best_of_each),
            detail: String::new(),
        },
        lower_ends(rows),
    ];
    let measured = ratio("churn-1m").map(|ratio| ratio.median);
    let detail = rival("churn-1m").to_owned();
    goals.push(Goal { goal: "churn-1m over the best rival".to_owned(), limit: 0.7, measured, detail });
    for name in ["producer-consumer", "larson", "xmalloc"] {
        let measured = ratio(name).map(|ratio| ratio.median);
        let detail = rival(name).to_owned();
        goals.push(Goal { goal: format!("{name} over the best rival"), limit: 0.85, measured, detail });
    }
    goals.push(replays(rows, "each replay, net, over the best rival", |row| row.ours_over_best));
    goals.push(replays(rows, "each replay, net, over pymalloc", |row| row.over("pymalloc")));
    let bump = row("drop-all").and_then(|row| row.over("bumpalo")).map(|ratio| ratio.median);
    let detail = "heap".to_owned();
    goals.push(Goal {
        goal: "dropping a heap over dropping a bump arena".to_owned(),
        limit: 2.0,
        measured: bump,
        detail,
    });
    goals
}

/// No interval may lie wholly above 1.05 times the best rival.
fn lower_ends(rows: &[Row]) -> Goal {
    let patterns: Vec<(&Row, f64)> = rows
        .iter()
        .filter(|row| row.group != Group::Release)
        .filter_map(|row| Some((row, row.ours_over_best?.low)))
        .collect();
    let above: Vec<String> = patterns
        .iter()
        .filter(|(_, low)| *low > 1.05)
        .map(|(row, low)| format!("{} {low:.2}", row.name))
        .collect();
    Goal {
        goal: "the lower end of every interval over the best rival".to_owned(),
        limit: 1.05,
        measured: patterns.iter().map(|(_, low)| *low).max_by(f64::total_cmp),
        detail: above.join(", "),
    }
}

/// The largest ratio of the replays.
fn replays(rows: &[Row], goal: &str, ratio: fn(&Row) -> Option<super::Estimate>) -> Goal {
    let ratios: Vec<(&Row, f64)> = rows
        .iter()
        .filter(|row| row.group == Group::Replay)
        .filter_map(|row| Some((row, ratio(row)?.median)))
        .collect();
    let worst = ratios.iter().copied().max_by(|one, other| one.1.total_cmp(&other.1));
    Goal {
        goal: goal.to_owned(),
        limit: 0.8,
        measured: worst.map(|(_, ratio)| ratio),
        detail: worst.map(|(row, _)| row.name.clone()).unwrap_or_default(),
    }
}
