//! Compact dicts against a plain list of pairs, the model, and CPython.

mod common;

use std::hash::RandomState;
use std::process::Command;

use common::{Counting, Empty};
use cpymem_slots::model::{self, Keys, Target};
use cpymem_slots::object::{CompactDict, Footprint, Key, Spelling, Text};
use proptest::collection::vec;
use proptest::prelude::*;

/// A key of a word, with the hash that a test wants.
struct Number {
    number: Box<u64>,
    hash: fn(u64) -> u64,
    carries: bool,
}

impl PartialEq for Number {
    fn eq(&self, other: &Number) -> bool {
        self.number == other.number
    }
}

impl Eq for Number {}

impl Key for Number {
    fn hash(&self) -> u64 {
        (self.hash)(*self.number)
    }

    fn carries_hash(&self) -> bool {
        self.carries
    }
}

#[derive(Clone, Debug)]
enum Event {
    Set(u64),
    SetAny(u64),
    Delete(u64),
    Get(u64),
    Pop,
    Change(u64),
    Clear,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let key = 0..150u64;
    let event = prop_oneof![
        120 => key.clone().prop_map(Event::Set),
        1 => key.clone().prop_map(Event::SetAny),
        60 => key.clone().prop_map(Event::Delete),
        40 => key.clone().prop_map(Event::Get),
        6 => Just(Event::Pop),
        20 => key.prop_map(Event::Change),
        1 => Just(Event::Clear),
    ];
    vec(event, 0..700)
}

const HASHES: [fn(u64) -> u64; 5] = [
    |n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15),
    |n| n,       // as CPython's integers: no tags
    |_| 7,       // all collide
    |n| n << 60, // few places, tags differ
    |_| u64::MAX,
];

proptest! {
    #[test]
    fn dicts_answer_as_a_list_of_pairs(events in events(), hash in 0..HASHES.len()) {
        let key = |number: u64, carries| Number { number: Box::new(number), hash: HASHES[hash], carries };
        let alloc = Counting::default();
        let mut dict: CompactDict<Number, String, Counting> = CompactDict::new_in(alloc.clone());
        let mut pairs: Vec<(u64, String)> = Vec::new();
        // The table as CPython keeps it: places, new keys that fit, whether hashes are stored.
        let (mut places, mut free, mut stored) = (0usize, 0usize, false);
        for (time, event) in events.into_iter().enumerate() {
            let value = time.to_string();
            match event {
                Event::Set(n) | Event::SetAny(n) => {
                    let carries = matches!(event, Event::Set(_));
                    let known = pairs.iter_mut().find(|(known, _)| *known == n);
                    let before = dict.insert(key(n, carries), value.clone());
                    match known {
                        Some((_, old)) => prop_assert_eq!(before, Some(std::mem::replace(old, value))),
                        None => {
                            prop_assert_eq!(before, None);
                            if free == 0 || (!carries && !stored) {
                                places = (pairs.len() * 3).next_power_of_two().max(8);
                                free = places * 2 / 3 - pairs.len();
                            }
                            stored |= !carries;
                            free -= 1;
                            pairs.push((n, value));
                        }
                    }
                }
                Event::Delete(n) => {
                    let at = pairs.iter().position(|(known, _)| *known == n);
                    prop_assert_eq!(dict.remove(&key(n, true)), at.map(|at| pairs.remove(at).1));
                }
                Event::Get(n) => {
                    let expected = pairs.iter().find(|(known, _)| *known == n).map(|(_, value)| value);
                    let key = key(n, false);
                    prop_assert_eq!(dict.get(&key), expected);
                    prop_assert_eq!(dict.contains_key(&key), expected.is_some());
                    let at = dict.position(&key).and_then(|position| dict.get_at(position));
                    prop_assert_eq!(at.map(|(_, value)| value), expected);
                }
                Event::Pop => {
                    let popped = dict.pop().map(|(key, value)| (*key.number, value));
                    prop_assert_eq!(popped, pairs.pop());
                }
                Event::Change(n) => {
                    if let Some(value) = dict.get_mut(&key(n, true)) {
                        value.push('!');
                    }
                    if let Some((_, value)) = pairs.iter_mut().find(|(known, _)| *known == n) {
                        value.push('!');
                    }
                }
                Event::Clear => {
                    dict.clear();
                    pairs.clear();
                    (places, free, stored) = (0, 0, false);
                }
            }
            prop_assert_eq!(dict.len(), pairs.len());
            prop_assert_eq!((dict.places(), dict.stores_hashes()), (places, stored));
            prop_assert!(dict.iter().map(|(key, value)| (*key.number, value)).eq(pairs.iter().map(|(n, v)| (*n, v))));
            prop_assert!(dict.iter_mut().map(|(_, value)| &*value).eq(pairs.iter().map(|(_, v)| v)));
            prop_assert_eq!(dict.footprint(), alloc.held());
        }
        drop(dict);
        prop_assert_eq!(alloc.held(), Footprint::default());
    }
}

/// Keys and values of a word each: the bytes are those of CPython's keys object.
#[test]
fn dicts_are_as_large_as_the_model_predicts() {
    let mut numbers = CompactDict::<Number, u64>::new();
    assert_eq!(numbers.footprint(), Footprint::default());
    drop(numbers);
    let target: Target = "3.13".parse().unwrap();
    let dict_object = model::container::dict(target, 0, Keys::Strings).unwrap().getsizeof() as usize;
    for (keys, carries) in [(Keys::Strings, true), (Keys::Any, false)] {
        let hasher = RandomState::new();
        let (mut texts, mut words) = (CompactDict::new(), CompactDict::new());
        for n in 1..=100_000u32 {
            if carries {
                texts.insert(Text::new(&n.to_string(), &hasher), u64::from(n));
            } else {
                words.insert(Word(Box::new(n.into())), u64::from(n));
            }
            if n < 3000 || n % 997 == 0 {
                let predicted =
                    model::container::dict(target, n, keys).unwrap().getsizeof() as usize - dict_object;
                let bytes = if carries { texts.footprint().bytes } else { words.footprint().bytes };
                assert_eq!(bytes, predicted, "{n} keys, {keys:?}");
            }
        }
        if carries {
            let spelling = Spelling::new("777", &hasher);
            assert_eq!(texts.get(&spelling), Some(&777));
            assert_eq!(texts.get(&Spelling::new("x", &hasher)), None);
        } else {
            assert_eq!(words.get(&Word(Box::new(777))), Some(&777));
        }
    }
    numbers = CompactDict::with_capacity_in(10, allocator_api2::alloc::Global);
    assert_eq!(numbers.places(), 16);
}

/// A key of a word that does not carry its hash.
#[derive(PartialEq, Eq)]
struct Word(Box<u64>);

impl Key for Word {
    fn hash(&self) -> u64 {
        *self.0
    }

    fn carries_hash(&self) -> bool {
        false
    }
}

/// Random lives of dicts, in Rust and in an interpreter: the same order in the end, and for those without deletions
/// the same size. (The size after deletions follows 3.13.15 and later: 3.10 to 3.13.0 round otherwise.)
#[test]
fn cpython_has_the_same_order_and_size() {
    const PROGRAM: &str = "
import sys
for line in sys.stdin:
    d = {}
    for event in line.split():
        if event[0] == '+': d[event[1:]] = 0
        else: d.pop(event[1:], None)
    print(sys.getsizeof(d) - sys.getsizeof({}), *d)
";
    let python = std::env::var("CPYMEM_PYTHON").unwrap_or_else(|_| "python3".into());
    let mut lives = Vec::new();
    let mut random = 1u64;
    for life in 0..300 {
        let events = (0..life).map(|_| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let deletes = life % 2 == 1 && (random >> 40).is_multiple_of(3);
            (!deletes, (random >> 33) % 97)
        });
        lives.push(events.collect::<Vec<_>>());
    }
    let input: String = lives
        .iter()
        .map(|life| {
            let words = life.iter().map(|(sets, n)| format!("{}k{n} ", if *sets { '+' } else { '-' }));
            words.collect::<String>() + "\n"
        })
        .collect();
    let run = |arguments: &[&str]| {
        let mut child = Command::new(&python)
            .args(arguments)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .ok()?;
        let mut stdin = child.stdin.take()?;
        let input = input.clone();
        let writer = std::thread::spawn(move || std::io::Write::write_all(&mut stdin, input.as_bytes()));
        let output = child.wait_with_output().ok()?;
        let _ = writer.join();
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let Some(output) = run(&["-c", PROGRAM]) else {
        eprintln!("skipped: no interpreter `{python}`; CPYMEM_PYTHON names another");
        return;
    };
    let version = run(&["-c", "import sys; print(sys.version_info[1])"]).unwrap_or_default();
    let sizes_comparable = version.trim().parse::<u32>().is_ok_and(|minor| minor >= 11);
    assert_eq!(output.lines().count(), lives.len());
    let hasher = RandomState::new();
    for (life, answer) in lives.iter().zip(output.lines()) {
        let mut dict: CompactDict<Text, u64> = CompactDict::new();
        for (sets, n) in life {
            let key = Text::new(&format!("k{n}"), &hasher);
            if *sets {
                dict.insert(key, 0);
            } else {
                dict.remove(&key);
            }
        }
        let (bytes, order) = answer.split_once(' ').unwrap_or((answer, ""));
        assert!(dict.keys().map(Text::as_str).eq(order.split_whitespace()), "{life:?}");
        if sizes_comparable && life.iter().all(|(sets, _)| *sets) {
            assert_eq!(dict.footprint().bytes, bytes.parse::<usize>().unwrap(), "{life:?}");
        }
    }
}

#[test]
fn a_lack_of_memory_is_told() {
    let mut dict: CompactDict<Word, u64, Empty> = CompactDict::new_in(Empty);
    assert!(dict.try_reserve_one().is_err());
    assert!(dict.is_empty() && dict.get(&Word(Box::new(1))).is_none() && dict.pop().is_none());
}

/// A key whose hash panics on request: nothing is lost, nothing dropped twice.
#[test]
fn a_hash_that_panics_leaves_the_dict_as_it_was() {
    use std::cell::Cell;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    thread_local!(static CALLS: Cell<u32> = const { Cell::new(u32::MAX) });

    #[derive(PartialEq, Eq)]
    struct Shy(String, bool);
    impl Key for Shy {
        fn hash(&self) -> u64 {
            CALLS.set(CALLS.get() - 1);
            assert!(CALLS.get() > 0, "bomb went off");
            self.0.len() as u64
        }
        fn carries_hash(&self) -> bool {
            self.1
        }
    }

    for fuse in 1..40 {
        for last_carries in [true, false] {
            let mut dict = CompactDict::new();
            CALLS.set(u32::MAX);
            for i in 0..10 {
                dict.insert(Shy("x".repeat(i), true), i);
            }
            CALLS.set(fuse);
            let set = catch_unwind(AssertUnwindSafe(|| dict.insert(Shy("y".repeat(20), last_carries), 20)));
            CALLS.set(u32::MAX);
            assert_eq!(dict.len(), if set.is_ok() { 11 } else { 10 });
            for i in 0..10 {
                assert_eq!(dict.get(&Shy("x".repeat(i), true)), Some(&i));
            }
        }
    }
}
