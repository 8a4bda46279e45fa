//! [`PATTERNS`]: every pattern by name.

use super::layouts::{
    Columns, InlineProfile, KeySharing, Plain, PlainIndexMap, PlainMap, SlotInstance, SlotObject,
    TypedProfile,
};
use super::mapping::{on_compact, on_hash_map, on_index_map};
use super::megamorphic;
use super::outcome::{Goal, Outcome, Pattern, Scale, Subject};
use super::profiles::{build, hot, shuffled};

const fn subject(name: &'static str, run: fn(Scale) -> Outcome) -> Subject {
    Subject { name, run }
}

const fn time(subject: &'static str, over: &'static str, at_most: f64) -> Goal {
    Goal::Time { subject, over, at_most }
}

const fn bytes(subject: &'static str, at_most: f64) -> Goal {
    Goal::Bytes { subject, at_most }
}

/// A pattern of the profiles: every layout that is an object.
macro_rules! profiles {
    ($name:literal, $about:literal, $work:ident, $goals:expr) => {
        Pattern {
            name: $name,
            about: $about,
            subjects: &[
                subject("plain struct", $work::<Plain>),
                subject("slots", $work::<SlotObject>),
                subject("key-sharing dict", $work::<KeySharing>),
                subject("instance, slots", $work::<SlotInstance>),
                subject("instance, inline values", $work::<InlineProfile>),
                subject("HashMap", $work::<PlainMap>),
                subject("indexmap", $work::<PlainIndexMap>),
                subject("typed struct", $work::<TypedProfile>),
                subject("columns", $work::<Columns>),
            ],
            goals: $goals,
        }
    };
}

/// A pattern of the dicts, at one size.
macro_rules! dicts {
    ($name:literal, $about:literal, $act:literal, $size:literal) => {
        Pattern {
            name: $name,
            about: $about,
            subjects: &[
                subject("indexmap", on_index_map::<$act, $size>),
                subject("compact dict", on_compact::<$act, $size>),
                subject("HashMap", on_hash_map::<$act, $size>),
            ],
            goals: &[time("compact dict", "indexmap", 1.0), time("compact dict", "CPython", 0.8)],
        }
    };
}

/// Every pattern.
pub const PATTERNS: &[Pattern] = &[
    profiles!(
        "read-hot",
        "an attribute of one of 1,000 objects is read",
        hot,
        &[
            time("slots", "plain struct", 2.0),
            time("slots", "CPython", 0.15),
            time("key-sharing dict", "plain struct", 3.0),
            time("instance, inline values", "plain struct", 3.0),
        ]
    ),
    profiles!(
        "read-shuffled",
        "an attribute of one of 1,000,000 objects is read, in random order",
        shuffled,
        &[time("slots", "plain struct", 1.3)]
    ),
    profiles!(
        "build",
        "a profile with its strings is made, 1,000,000 in all",
        build,
        &[time("slots", "CPython", 0.15), bytes("slots", 130.0), bytes("typed struct", 56.0),]
    ),
    dicts!("insert-8", "a key is set in a new dict, 8 keys", 0, 8),
    dicts!("insert-1k", "a key is set in a new dict, 1,000 keys", 0, 1000),
    dicts!("insert-1m", "a key is set in a new dict, 1,000,000 keys", 0, 1_000_000),
    dicts!("hit-8", "a key is found, 8 keys", 1, 8),
    dicts!("hit-1k", "a key is found, 1,000 keys", 1, 1000),
    dicts!("hit-1m", "a key is found, 1,000,000 keys", 1, 1_000_000),
    dicts!("miss-8", "a key is not found, 8 keys", 2, 8),
    dicts!("miss-1k", "a key is not found, 1,000 keys", 2, 1000),
    dicts!("miss-1m", "a key is not found, 1,000,000 keys", 2, 1_000_000),
    dicts!("iterate-8", "a value is visited, 8 keys", 3, 8),
    dicts!("iterate-1k", "a value is visited, 1,000 keys", 3, 1000),
    dicts!("iterate-1m", "a value is visited, 1,000,000 keys", 3, 1_000_000),
    dicts!("delete-8", "a key is deleted, 8 keys", 4, 8),
    dicts!("delete-1k", "a key is deleted, 1,000 keys", 4, 1000),
    dicts!("delete-1m", "a key is deleted, 1,000,000 keys", 4, 1_000_000),
    Pattern {
        name: "read-megamorphic",
        about: "an attribute of an object of one of 64 shapes is read",
        subjects: &[
            subject("HashMap", megamorphic::maps),
            subject("slots", megamorphic::slots),
            subject("instance, slots", megamorphic::instances),
        ],
        goals: &[time("slots", "HashMap", 0.5), time("instance, slots", "HashMap", 0.5)],
    },
];
