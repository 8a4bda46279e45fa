//! How fast the readers are: `cargo run --release -p cpymem-harness --example reader_speed`.

use std::path::Path;
use std::time::Instant;

use cpymem_harness::heap::{Dump, Labels};
use cpymem_harness::input::Input;
use cpymem_harness::pymalloc::{Rules, pools_at_phases};
use cpymem_harness::trace::{Live, Op, Reader, scan};

fn sample(name: &str) -> Input {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples").join(name);
    Input::from_arg(path.as_os_str(), None).unwrap()
}

/// The text of an input, so that decompression is not in the time.
fn plain(input: &Input) -> Input {
    let mut text = input.open().unwrap();
    let mut all = Vec::new();
    loop {
        let n = text.fill().unwrap().len();
        if n == 0 {
            return Input::from_bytes(input.name(), all, None).unwrap();
        }
        all.extend_from_slice(text.fill().unwrap());
        text.consume(n);
    }
}

/// Millions of items a second, best of several runs.
fn best(items: u64, mut run: impl FnMut()) -> f64 {
    let times = (0..7).map(|_| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64()
    });
    items as f64 / times.fold(f64::INFINITY, f64::min) / 1e6
}

fn main() {
    for name in ["leaky", "threads", "flask", "profiles"] {
        let stored = sample(&format!("{name}.pmt.gz"));
        let plain = plain(&stored);
        let events = scan(&stored).unwrap().events;
        let decode = |input: &Input| {
            let mut reader = Reader::open(input).unwrap();
            while reader.next_event().unwrap().is_some() {}
            assert_eq!(reader.events(), events);
        };
        let map = |input: &Input| {
            let (mut reader, mut live) = (Reader::open(input).unwrap(), Live::new());
            while let Some(event) = reader.next_event().unwrap() {
                match event.op {
                    Op::Alloc { id, .. } => _ = live.add(id, reader.budget()).unwrap(),
                    Op::Realloc { id, .. } => _ = live.get(id).unwrap(),
                    Op::Free { id } => _ = live.remove(id, reader.budget()).unwrap(),
                    _ => {}
                }
            }
        };
        println!(
            "{name:9} M events/s: gzip {:.1}, decode {:.1}, decode and slots {:.1}, scan {:.1}, pools {:.1}",
            best(events, || decode(&stored)),
            best(events, || decode(&plain)),
            best(events, || map(&plain)),
            best(events, || drop(scan(&plain).unwrap())),
            best(events, || drop(pools_at_phases(&plain, Rules::CPYTHON).unwrap())),
        );
    }
    for name in ["leaky", "threads", "profiles"] {
        let stored = sample(&format!("{name}.heap.jsonl.gz"));
        let plain = plain(&stored);
        let objects = Dump::read(&stored, Labels::Skip).unwrap().end.objects;
        println!(
            "{name:9} M objects/s: gzip {:.2}, plain {:.2}, with labels {:.2} ({} bytes an object)",
            best(objects, || drop(Dump::read(&stored, Labels::Skip).unwrap())),
            best(objects, || drop(Dump::read(&plain, Labels::Skip).unwrap())),
            best(objects, || drop(Dump::read(&plain, Labels::Keep).unwrap())),
            plain.bytes() / objects,
        );
    }
}
