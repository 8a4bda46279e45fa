//! `cpymem dups`: strings that are there more than once, by the hashes in a dump.

use std::collections::HashMap;

use serde::Serialize;

use super::notes;
use crate::error::{InputError, Place};
use crate::heap::{Flags, Graph, Labels};
use crate::input::Input;
use crate::progress::Progress;
use crate::record::InputRecord;

/// Groups of equal strings in a document at most.
const MOST_GROUPS: usize = 1000;
/// Owners in a document at most.
const MOST_OWNERS: usize = 100;
/// Owners that a group lists at most.
const MOST_OWNERS_OF_GROUP: usize = 4;

/// Document `cpymem.dups/1`: equal strings.
#[derive(Clone, Debug, Serialize)]
pub struct DupsRecord {
    /// `cpymem.dups/1`.
    pub schema: &'static str,
    /// The dump.
    pub input: [InputRecord; 1],
    /// Strings with a hash, `str` and `bytes`.
    pub strings: u64,
    /// Different ones.
    pub different: u64,
    /// Strings that an equal one would do for.
    pub copies: u64,
    /// Bytes of the blocks and chunks of all.
    pub block_bytes: u64,
    /// Bytes of the copies.
    pub saved_bytes: u64,
    /// What to know before relying on the figures.
    pub notes: Vec<String>,
    /// Equal strings, most bytes to save first.
    pub groups: Vec<DupGroup>,
    /// Groups beyond those.
    pub groups_left_off: u64,
    /// Who owns the copies, most bytes first.
    pub owners: Vec<DupOwner>,
}

/// Equal strings.
#[derive(Clone, Debug, Serialize)]
pub struct DupGroup {
    /// Their hash in this dump.
    pub hash: String,
    /// `builtins.str` or `builtins.bytes`.
    #[serde(rename = "type")]
    pub class: String,
    /// How many there are.
    pub count: u64,
    /// Bytes of the block or chunk of the largest.
    pub block_bytes: u64,
    /// Bytes that one for all would save.
    pub saved_bytes: u64,
    /// One of them.
    pub example_id: u32,
    /// Who owns most of them.
    pub owners: Vec<OwnerCount>,
}

/// An owner and a number of objects.
#[derive(Clone, Debug, Serialize)]
pub struct OwnerCount {
    /// Names from a module on.
    pub path: String,
    /// Objects.
    pub count: u64,
}

/// An owner of copies.
#[derive(Clone, Debug, Serialize)]
pub struct DupOwner {
    /// Names from a module on.
    pub path: String,
    /// Strings of which another one is there, one of each group left out.
    pub copies: u64,
    /// Bytes of their blocks and chunks.
    pub saved_bytes: u64,
}

/// Answers for a dump.
///
/// # Errors
/// As [`Graph::read`]; or if the dump has no hashes.
pub fn dups(input: &Input, progress: &Progress) -> Result<DupsRecord, InputError> {
    let graph = Graph::read(input, Labels::Keep, progress)?;
    progress.pass(&format!("{}: equal strings", input.name()));
    let hashed = |&id: &u32| graph.is_object(id) && !graph.flags(id).has(Flags::NAMED);
    let mut strings: Vec<(&str, u32, u32)> = graph
        .labels()
        .filter(|(id, _)| hashed(id))
        .filter_map(|(id, hash)| Some((hash, graph.type_id(id)?, id)))
        .collect();
    if strings.is_empty() {
        let what = "the dump has no hashes of strings; make it with hash_strings=True";
        return Err(InputError::new(input.name(), Place::Line(1), what));
    }
    strings.sort_unstable();
    progress.pass(&format!("{}: owners", input.name()));
    let owners = graph.owners();
    let mut record = DupsRecord {
        schema: "cpymem.dups/1",
        input: [InputRecord::new(input, &graph.header.form, graph.header.python.as_deref())],
        strings: strings.len() as u64,
        different: 0,
        copies: 0,
        block_bytes: 0,
        saved_bytes: 0,
        notes: notes(&graph),
        groups: Vec::new(),
        groups_left_off: 0,
        owners: Vec::new(),
    };
    // Position of the first of each group, its length, and bytes to save.
    let mut groups: Vec<(u64, usize, usize)> = Vec::new();
    let mut by_owner: HashMap<usize, (u64, u64)> = HashMap::new();
    let mut at = 0;
    for group in strings.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
        let bytes = |&(_, _, id): &(&str, u32, u32)| graph.block_bytes(id);
        let all: u64 = group.iter().map(bytes).fold(0, u64::saturating_add);
        let saved = all - group.iter().map(bytes).max().unwrap_or(0);
        record.different += 1;
        record.block_bytes = record.block_bytes.saturating_add(all);
        record.copies += group.len() as u64 - 1;
        record.saved_bytes = record.saved_bytes.saturating_add(saved);
        if group.len() > 1 {
            groups.push((saved, at, group.len()));
            for it in &group[1..] {
                if let Some(owner) = owners.owner(it.2) {
                    let sum = by_owner.entry(owner.index()).or_default();
                    *sum = (sum.0 + 1, sum.1.saturating_add(bytes(it)));
                }
            }
        }
        at += group.len();
    }
    groups.sort_by_key(|&(saved, at, _)| (std::cmp::Reverse(saved), at));
    record.groups_left_off = groups.len().saturating_sub(MOST_GROUPS) as u64;
    let paths: Vec<_> = owners.paths().collect();
    for &(saved_bytes, at, n) in groups.iter().take(MOST_GROUPS) {
        let group = &strings[at..at + n];
        let mut of: HashMap<usize, u64> = HashMap::new();
        for owner in group.iter().filter_map(|it| owners.owner(it.2)) {
            *of.entry(owner.index()).or_default() += 1;
        }
        let mut of: Vec<(u64, usize)> = of.into_iter().map(|(owner, count)| (count, owner)).collect();
        of.sort_by_key(|&(count, owner)| (std::cmp::Reverse(count), owner));
        let owner = |&(count, owner): &(u64, usize)| OwnerCount { path: owners.text(paths[owner]), count };
        record.groups.push(DupGroup {
            hash: group[0].0.to_owned(),
            class: graph.type_name(group[0].2).to_owned(),
            count: n as u64,
            block_bytes: group.iter().map(|it| graph.block_bytes(it.2)).max().unwrap_or(0),
            saved_bytes,
            example_id: group[0].2,
            owners: of.iter().take(MOST_OWNERS_OF_GROUP).map(owner).collect(),
        });
    }
    let mut all: Vec<(usize, (u64, u64))> = by_owner.into_iter().collect();
    all.sort_by_key(|&(owner, (_, bytes))| (std::cmp::Reverse(bytes), owner));
    record.owners = all
        .into_iter()
        .take(MOST_OWNERS)
        .map(|(owner, (copies, saved_bytes))| DupOwner {
            path: owners.text(paths[owner]),
            copies,
            saved_bytes,
        })
        .collect();
    Ok(record)
}
