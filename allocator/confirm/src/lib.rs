//! The program: documents are parsed, indexed, changed and written by two threads, and half of them die on the
//! thread that did not make them.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use serde_json::Value;

/// Documents of each thread.
const DOCUMENTS: u64 = 60;
/// Records of a document.
const RECORDS: u64 = 400;

fn text(document: u64) -> String {
    let mut text = String::from("[");
    for record in 0..RECORDS {
        let mixed = (document * RECORDS + record).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let comma = if record == 0 { "" } else { "," };
        let _ = write!(
            text,
            r#"{comma}{{"id":{record},"name":"user {}","team":"t{}","score":{},"tags":["a{}","b","{}"],"at":{{"x":{},"y":null}}}}"#,
            mixed >> 40,
            mixed >> 58,
            mixed >> 50,
            mixed >> 60,
            "long ".repeat((mixed >> 61) as usize),
            mixed >> 33,
        );
    }
    text.push(']');
    text
}

/// What is known of a document when it is done.
struct Done {
    records: Vec<Value>,
    teams: BTreeMap<String, Vec<u64>>,
    names: HashMap<String, usize>,
    written: usize,
}

fn work(document: u64) -> Done {
    let records: Vec<Value> = serde_json::from_str(&text(document)).expect("our own text");
    let mut teams: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let mut names = HashMap::new();
    for (index, record) in records.iter().enumerate() {
        let team = record["team"].as_str().unwrap_or_default().to_owned();
        teams.entry(team).or_default().push(record["score"].as_u64().unwrap_or_default());
        names.insert(record["name"].as_str().unwrap_or_default().to_owned(), index);
    }
    let written = records.iter().map(|record| record.to_string().len()).sum();
    Done { records, teams, names, written }
}

/// Consumes a document and says what was in it.
fn finish(done: Done) -> u64 {
    let scores: u64 = done.teams.values().flatten().sum();
    let found = done.names.values().filter(|&&index| done.records[index]["id"] == index as u64).count();
    scores + found as u64 + done.written as u64
}

fn thread(first: u64, to_other: &Sender<Done>, from_other: &Receiver<Done>) -> u64 {
    let mut sum = 0;
    for document in first..first + DOCUMENTS {
        let done = work(document);
        if document % 2 == 0 {
            to_other.send(done).expect("the other thread waits");
        } else {
            sum += finish(done);
        }
        sum += from_other.try_iter().map(finish).sum::<u64>();
    }
    sum
}

fn program() -> u64 {
    let (to_first, at_first) = channel();
    let (to_second, at_second) = channel();
    let second = std::thread::spawn(move || {
        let sum = thread(DOCUMENTS, &to_first, &at_second);
        drop(to_first);
        sum + at_second.iter().map(finish).sum::<u64>()
    });
    let mut sum = thread(0, &to_second, &at_first);
    drop(to_second);
    sum += at_first.iter().map(finish).sum::<u64>();
    sum + second.join().expect("the other thread ends well")
}

/// Runs the program and prints its nanoseconds and the sum that must be the same on every allocator.
pub fn main() -> ExitCode {
    let started = Instant::now();
    let sum = program();
    println!("{} {sum}", started.elapsed().as_nanos());
    ExitCode::SUCCESS
}
