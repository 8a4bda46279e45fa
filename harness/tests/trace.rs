//! Traces: what a writer wrote is what the reader reads, and every fault has its message and place.

mod common;

use common::writer::{Block, Writer, encode, varint};
use common::{Random, assert_error, assert_form, gzip, input};
use cpymem_harness::error::{InputError, Place};
use cpymem_harness::input::Input;
use cpymem_harness::pymalloc::{Rules, pools_at_phases};
use cpymem_harness::trace::{Domain, Event, Op, Reader, scan};
use proptest::prelude::*;

fn read(input: &Input) -> Result<Vec<Event>, InputError> {
    Reader::open(input)?.collect()
}

fn alloc(id: u64, size: u64) -> Event {
    Event { op: Op::Alloc { id, size, zeroed: false, addr: None }, domain: Domain::Object, thread: 0 }
}

fn of(op: Op) -> Event {
    Event { op, domain: Domain::Raw, thread: 0 }
}

fn free(id: u64) -> Event {
    of(Op::Free { id })
}

/// Four numbers make an event; `ids` are free choices, so blocks may be used after their end.
fn event(raw: (u8, u8, u64, u64), allocations: &mut u64, now_ns: &mut u64, addresses: bool) -> Event {
    let (kind, domain, a, b) = raw;
    let size = if a % 5 == 0 { a >> 1 } else { a % 2_000 };
    let addr = addresses.then_some((b >> 17) << 3);
    let id = allocations.checked_sub(1).map(|last| last - b % (last + 1));
    let mut at_ns = || {
        *now_ns += b >> 20;
        *now_ns
    };
    let op = match (kind % 16, id) {
        (8 | 9, Some(id)) => Op::Realloc { id, size, addr },
        (10 | 11, Some(id)) => Op::Free { id },
        (12, _) => Op::Unknown,
        (13, _) => Op::GcStart { at_ns: at_ns(), generation: domain % 3 },
        (14, _) => Op::GcStop { at_ns: at_ns(), generation: domain % 3, collected: a, uncollectable: b },
        (15, _) => Op::Phase { at_ns: at_ns(), label: u32::from(domain % 2), rss_kib: a },
        _ => {
            *allocations += 1;
            Op::Alloc { id: *allocations - 1, size, zeroed: kind % 2 == 1, addr }
        }
    };
    let mark = matches!(kind % 16, 13..=15);
    let domain = if mark { Domain::Raw } else { Domain::ALL[usize::from(domain % 4)] };
    Event { op, domain, thread: if kind > 200 { (b % 65_536) as u32 } else { 0 } }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn reads_what_was_written(
        raw in prop::collection::vec(any::<(u8, u8, u64, u64)>(), 0..300),
        addresses: bool,
        block_events in 1_u32..100,
        gzip: bool,
    ) {
        let (mut allocations, mut now_ns) = (0, 0);
        let events: Vec<_> =
            raw.into_iter().map(|raw| event(raw, &mut allocations, &mut now_ns, addresses)).collect();
        let bytes = encode(&events, addresses, block_events);
        let input = input(if gzip { common::gzip(&bytes) } else { bytes });
        prop_assert_eq!(read(&input).unwrap(), events);
        let reader = Reader::open(&input).unwrap();
        prop_assert_eq!(reader.header().addresses, addresses);
        prop_assert_eq!(reader.header().program.as_deref(), Some("test"));
        // Blocks that are used after their end are an error, never a panic.
        if let Err(error) = scan(&input) {
            assert_form(&error);
        }
    }
}

#[test]
fn a_scan_counts_what_is_there() {
    let mark = |op| Event { op, domain: Domain::Raw, thread: 3 };
    let big = i64::MAX.cast_unsigned();
    let events = [
        of(Op::Phase { at_ns: 0, label: 0, rss_kib: 0 }),
        alloc(0, 100),
        alloc(1, 600),
        of(Op::Alloc { id: 2, size: big, zeroed: true, addr: None }),
        of(Op::Alloc { id: 3, size: big, zeroed: true, addr: None }),
        of(Op::Alloc { id: 4, size: big, zeroed: true, addr: None }),
        mark(Op::GcStop { at_ns: 5, generation: 0, collected: 1, uncollectable: 0 }),
        mark(Op::GcStart { at_ns: 10, generation: 1 }),
        free(1),
        mark(Op::GcStop { at_ns: 25, generation: 1, collected: 7, uncollectable: 2 }),
        free(0),
        free(3),
        free(4),
        of(Op::Realloc { id: 2, size: 10, addr: None }),
        of(Op::Unknown),
        of(Op::Phase { at_ns: 30, label: 1, rss_kib: 77 }),
    ];
    let scan = scan(&input(encode(&events, false, 4))).unwrap();
    assert_eq!((scan.events, scan.allocations, scan.reallocs, scan.frees), (16, 5, 1, 4));
    assert_eq!((scan.unknown, scan.threads, scan.live_at_end), (1, 2, 1));
    assert_eq!((scan.peak_live_blocks, scan.peak_live_bytes), (5, u64::MAX), "saturated, not wrapped");
    assert_eq!((scan.deaths.count, scan.deaths.collector), (2, 1));
    let done = scan.collections;
    assert_eq!((done.by_generation, done.total_ns, done.longest_ns), ([1, 1, 0], 15, 15));
    assert_eq!((done.collected, done.uncollectable), (8, 2));
    let [first, last] = scan.phases[..] else { panic!("two phases") };
    assert_eq!((scan.label(&first), first.rss_kib, first.live_bytes), ("one", None, 0));
    assert_eq!((scan.label(&last), last.rss_kib, last.live_bytes), ("two", Some(77), 10));
    assert_eq!((last.event, last.at_ns, last.live_blocks, last.pools_recorded), (15, 30, 1, None));
}

#[test]
fn a_trace_without_events() {
    let scan = scan(&input(encode(&[], true, 1))).unwrap();
    assert_eq!((scan.events, scan.threads, scan.deaths.collector_share()), (0, 0, None));
    assert_eq!((scan.small_share_of_allocations(), scan.small_share_of_bytes()), (None, None));
}

/// A trace of a terabyte in a few bytes costs nothing to look at.
#[test]
fn a_terabyte_in_a_hundred_bytes() {
    let input =
        input(encode(&[alloc(0, 1 << 40), of(Op::Phase { at_ns: 0, label: 0, rss_kib: 0 })], false, 9));
    assert_eq!(scan(&input).unwrap().peak_live_bytes, 1 << 40);
    assert_eq!(pools_at_phases(&input, Rules::CPYTHON).unwrap(), [0]);
}

#[test]
fn blocks_that_are_not_live() {
    for events in [
        vec![alloc(0, 1), free(0), free(0)],
        vec![alloc(0, 1), free(0), of(Op::Realloc { id: 0, size: 1, addr: None })],
    ] {
        let input = input(encode(&events, false, 2));
        assert_error(scan(&input), Place::Event(2), "block 0 is not live");
        assert_error(pools_at_phases(&input, Rules::CPYTHON), Place::Event(2), "block 0 is not live");
    }
}

/// A trace of one block with these columns after a spoilt event.
fn spoilt(spoil: impl FnOnce(&mut Block)) -> Input {
    let mut writer = Writer::new(true, 100);
    for event in [
        Event { op: Op::Alloc { id: 0, size: 3, zeroed: false, addr: Some(64) }, ..alloc(0, 3) },
        Event { op: Op::Alloc { id: 1, size: 3, zeroed: false, addr: Some(80) }, ..alloc(1, 3) },
        free(0),
        of(Op::Phase { at_ns: 9, label: 1, rss_kib: 5 }),
    ] {
        writer.event(&event);
    }
    spoil(&mut writer.blocks[0]);
    input(writer.bytes())
}

#[test]
fn faults_of_events() {
    assert!(read(&spoilt(|_| {})).is_ok());
    let endless = spoilt(|b| b.columns[1].clear());
    assert_eq!(Reader::open(&endless).unwrap().count(), 1, "the first error is the last item");
    let at = Place::Event;
    assert_error(read(&spoilt(|b| b.columns[0][2] |= 0x40)), at(2), "unknown operation");
    assert_error(read(&spoilt(|b| b.columns[0][1] |= 0x80)), at(1), "unknown operation");
    assert_error(read(&spoilt(|b| b.columns[2] = vec![2])), at(2), "2 allocations old after 2");
    assert_error(read(&spoilt(|b| b.columns[2].clear())), at(2), "the column ages is shorter");
    assert_error(read(&spoilt(|b| b.columns[1].truncate(1))), at(1), "the column sizes is shorter");
    assert_error(read(&spoilt(|b| b.columns[3].truncate(1))), at(1), "the column addrs is shorter");
    assert_error(read(&spoilt(|b| b.columns[4].truncate(2))), at(3), "the column marks is shorter");
    assert_error(read(&spoilt(|b| b.columns[1].push(1))), at(3), "1 bytes of sizes are left over");
    assert_error(read(&spoilt(|b| b.columns[4].extend([1, 1]))), at(3), "2 bytes of marks are left over");
    assert_error(
        read(&spoilt(|b| b.columns[1] = vec![0x80; 11])),
        at(0),
        "more than 64 bits in column sizes",
    );
    let beyond = [&[0xff; 9][..], &[2], &[3]].concat();
    assert_error(read(&spoilt(|b| b.columns[1] = beyond)), at(0), "more than 64 bits in column sizes");
    assert_error(
        read(&spoilt(|b| b.columns[1] = [varint(u64::MAX), vec![3]].concat())),
        at(0),
        "a block of 1844",
    );
    assert_error(read(&spoilt(|b| b.columns[4][1] = 2)), at(3), "label 2, where the header has 2");
    assert_error(read(&spoilt(|b| b.columns[3] = [varint(u64::MAX), vec![1]].concat())), at(0), "an address");
    assert_error(read(&spoilt(|b| b.columns[0][3] = 4)), at(3), "left over");
    assert_error(
        read(&spoilt(|b| {
            b.columns[0][3] = 4;
            b.columns[4] = vec![1, 3];
        })),
        at(3),
        "generation 3 of 3",
    );
    assert_error(
        read(&spoilt(|b| {
            b.columns[0][0] |= 0x20;
            b.columns[4].splice(0..0, varint(65_536));
        })),
        at(0),
        "thread 65536",
    );
    assert_error(
        read(&spoilt(|b| {
            b.events = 5;
            b.columns[0].push(6);
            b.columns[4].extend([varint(u64::MAX), vec![0, 0]].concat());
        })),
        Place::Offset(writer_head()),
        "a block of 5 events where the header leaves 4",
    );
}

/// The length of the head of `spoilt`'s traces.
fn writer_head() -> u64 {
    let mut writer = Writer::new(true, 1);
    (writer.events, writer.allocations) = (4, 2);
    writer.head().len() as u64
}

#[test]
fn a_time_of_more_than_64_bits() {
    let mut writer = Writer::new(false, 9);
    for at_ns in [u64::MAX, u64::MAX] {
        writer.event(&of(Op::GcStart { at_ns, generation: 0 }));
    }
    writer.blocks[0].columns[4][11] = 1;
    assert_error(read(&input(writer.bytes())), Place::Event(1), "a time of more than 64 bits");
}

#[test]
fn faults_of_blocks() {
    let head = writer_head();
    let at = |offset| Place::Offset(head + offset);
    // Lengths of 4 GiB cost nothing: they are compared with the events, or the text ends first.
    let huge = |column: usize| {
        let mut bytes = spoilt_bytes(|_| {});
        let mut place = head as usize + 4;
        let lengths = [4, 2, 1, 2, 3];
        place += lengths[..column].iter().map(|length| 4 + length).sum::<usize>();
        bytes[place..place + 4].fill(0xff);
        (input(bytes), Place::Offset(place as u64))
    };
    for column in 0..5 {
        let (input, place) = huge(column);
        assert_error(read(&input), place, "a column of 4294967295 bytes");
    }
    assert_error(read(&spoilt(|b| b.columns[0].push(0))), at(4), "a column of 5 bytes of tags for 4 events");
    assert_error(read(&spoilt(|b| b.events = 0)), at(0), "a block of no events");
    assert_error(read(&spoilt(|b| b.events = u32::MAX)), at(0), "a block of 4294967295 events");
    let whole = spoilt_bytes(|_| {});
    let end = Place::Offset(whole.len() as u64);
    assert_error(read(&input([&whole[..], b"x"].concat())), end, "bytes after the last event");
}

fn spoilt_bytes(spoil: impl FnOnce(&mut Block)) -> Vec<u8> {
    let input = spoilt(spoil);
    let mut text = input.open().unwrap();
    text.fill().unwrap().to_vec()
}

/// A claim of 4 G events with all lengths to match: memory follows what arrives, which is little.
#[test]
fn claims_that_agree_with_each_other() {
    let mut bytes =
        b"PMTRACE 1\n{\"form\": \"PMTRACE 1\", \"events\": 4294967295, \"allocations\": 4294967295, \
                      \"addresses\": false}\n"
            .to_vec();
    bytes.extend([0xff; 8]);
    bytes.extend([0; 1000]);
    let end = Place::Offset(bytes.len() as u64);
    assert_error(read(&input(bytes)), end, "ends inside the tags of a block: 1000 of 4294967295 bytes");
}

#[test]
fn faults_of_headers() {
    let with = |header: &str| read(&input(format!("PMTRACE 1\n{header}\n")));
    let start = Place::Offset(10);
    let good = r#"{"form": "PMTRACE 1", "events": 0, "allocations": 0, "addresses": false}"#;
    assert_eq!(with(good), Ok(vec![]));
    assert_error(read(&input("PMTRACE 2\n{}\n")), Place::Offset(0), "a trace of version \"2\"");
    assert_error(read(&input("PMTRACE 10\n{}\n")), Place::Offset(0), "a trace of version");
    assert_error(read(&input("PM")), Place::Offset(0), "not a trace");
    assert_error(read(&input("{\"form\": \"PYHEAP 2\"}\n")), Place::Offset(0), "not a trace");
    assert_error(read(&input([0xff; 100])), Place::Offset(0), "not a trace");
    assert_error(read(&input("PMTRACE 1\n")), start, "ends before its header");
    assert_error(with("{"), start, "bad header: EOF");
    assert_error(with("[]"), start, "bad header");
    assert_error(with(r#"{"form": "PMTRACE 1"}"#), start, "missing field `events`");
    assert_error(with(&good.replace(": 0", ": -1")), start, "bad header: invalid value");
    assert_error(with(&good.replace("PMTRACE 1", "PMTRACE 3")), start, "form is \"PMTRACE 3\"");
    assert_error(with(&good.replace('}', ", \"domains\": [\"mem\"]}")), start, "domains are not");
    assert_error(with(&good.replace('}', ", \"x\": nan}")), start, "bad header");
    assert_error(with(&good.replace(r#"s": 0"#, r#"s": 7"#)), Place::Event(0), "counts 7 events");
    assert_error(
        with(&good.replace(r#"allocations": 0"#, r#"allocations": 7"#)),
        Place::Event(0),
        "counts 7 allocations, the trace has 0",
    );
    // JSON that grows when it is parsed, and nesting.
    let labels = format!(", \"labels\": [{}\"\"]}}", "\"\",".repeat(5 << 20));
    let labels = gzip(format!("PMTRACE 1\n{}\n", good.replace('}', &labels)).as_bytes());
    assert_error(read(&input(labels)), start, "needs more than 96 MiB");
    assert_error(with(&good.replace('}', &format!(", \"x\": {}", "[".repeat(100_000)))), start, "bad header");
}

/// Cut at any byte, a trace is an error that says where.
#[test]
fn a_trace_that_is_cut() {
    let whole = spoilt_bytes(|_| {});
    for cut in 1..whole.len() {
        let error = read(&input(&whole[..cut])).expect_err("a cut trace");
        assert_form(&error);
        assert!(
            matches!(error.place, Place::Offset(at) if at <= cut as u64) || error.place == Place::Event(0)
        );
    }
}

/// Any bit flipped: an error, or other events; never a panic, whatever reads the trace.
#[test]
fn a_trace_that_is_damaged() {
    let whole = spoilt_bytes(|_| {});
    let mut random = Random(7);
    let mut wrong = 0;
    for round in 0..20_000_usize {
        let mut bytes = whole.clone();
        let flips = if round < whole.len() * 8 { 1 } else { 1 + random.below(4) };
        for flip in 0..flips {
            let bit = if flips == 1 {
                round
            } else {
                random.below(whole.len() as u64 * 8) as usize + flip as usize
            };
            let bit = bit % (whole.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        let input = input(bytes);
        let outcomes = [
            read(&input).map(drop),
            scan(&input).map(drop),
            pools_at_phases(&input, Rules::CPYTHON).map(drop),
        ];
        for error in outcomes.into_iter().filter_map(Result::err) {
            assert_form(&error);
            wrong += 1;
        }
    }
    assert!(wrong > 20_000);
}
