//! What an input of less than 1 MiB may cost, whatever it contains: 10 seconds of processor time and 256 MiB of address
//! space. The test runs the program under `ulimit` on each hostile input.
#![cfg(unix)]

mod common;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use common::writer::{Block, Writer, varint};
use flate2::Compression;
use flate2::write::GzEncoder;

/// 256 MiB of address space, 10 s of processor time.
const LIMITS: &str = "ulimit -v 262144 && ulimit -t 10";

/// Bytes of text that fit under the limit.
const TEXT: usize = 39 << 20;

fn write(folder: &Path, name: &str, fill: impl FnOnce(&mut dyn Write)) {
    let file = std::fs::File::create(folder.join(name)).unwrap();
    let mut encoder = GzEncoder::new(file, Compression::best());
    fill(&mut std::io::BufWriter::new(&mut encoder));
    let file = encoder.finish().unwrap();
    assert!(file.metadata().unwrap().len() < 1 << 20, "{name} is meant to be small");
}

/// A trace of as many equal blocks as fit.
fn trace(folder: &Path, name: &str, addresses: bool, block: &Block, allocations: u64) {
    let bytes = block.bytes();
    let blocks = TEXT / bytes.len();
    let mut writer = Writer::new(addresses, 1);
    writer.events = blocks as u64 * u64::from(block.events);
    writer.allocations = blocks as u64 * allocations;
    write(folder, name, |out| {
        out.write_all(&writer.head()).unwrap();
        (0..blocks).for_each(|_| out.write_all(&bytes).unwrap());
    });
}

fn block(events: usize, columns: [Vec<u8>; 5]) -> Block {
    Block { events: events as u32, columns }
}

fn dump(folder: &Path, name: &str, fill: impl FnOnce(&mut dyn Write)) {
    write(folder, name, |out| {
        out.write_all(b"{\"form\": \"PYHEAP 2\"}\n").unwrap();
        fill(out);
    });
}

fn hostile(folder: &Path) {
    const N: usize = 1 << 16;
    let none = Vec::new;
    // Tags: 0x10 malloc of an object, 0x13 its free, 6 a phase; 0x20 with a new thread.
    let blocks = block(N, [vec![0x10; N], vec![0; N], none(), none(), none()]);
    trace(folder, "live-blocks", false, &blocks, N as u64);
    let sizes = block(N, [vec![0x10; N], varint(512).repeat(N), none(), none(), none()]);
    trace(folder, "live-bytes", false, &sizes, N as u64);
    let pairs = block(N, [[0x10, 0x13].repeat(N / 2), vec![40; N / 2], vec![0; N / 2], none(), none()]);
    trace(folder, "churn", false, &pairs, N as u64 / 2);
    let one_block = TEXT / 2 - 1000;
    let columns = [vec![0x10; one_block], vec![1; one_block], none(), none(), none()];
    trace(folder, "one-block", false, &block(one_block, columns), one_block as u64);
    // Much to zero and to move.
    let zeroed = block(
        N,
        [[0x11, 0x13].repeat(N / 2), varint(90 << 20).repeat(N / 2), vec![0; N / 2], none(), none()],
    );
    trace(folder, "zeroed", false, &zeroed, N as u64 / 2);
    let mut moved = block(1026, [vec![0x12; 1026], none(), vec![0; 1025], none(), none()]);
    moved.columns[0][0] = 0x10;
    moved.columns[0][1025] = 0x13;
    moved.columns[1] = varint(90 << 20);
    (0..512).for_each(|_| moved.columns[1].extend([varint(1), varint(90 << 20)].concat()));
    trace(folder, "moved", false, &moved, 1);
    let unknown = block(N, [vec![0x17; N], none(), none(), none(), none()]);
    trace(folder, "unknown", false, &unknown, 0);
    let marks = block(N, [vec![6; N], none(), none(), none(), vec![0; 3 * N]]);
    trace(folder, "phases", false, &marks, 0);
    let pages = block(N, [vec![0x10; N], vec![1; N], none(), varint(2 << 11).repeat(N), none()]);
    trace(folder, "pages", true, &pages, N as u64);
    // One live block in each page of the table of ids.
    let mut sparse = Writer::new(false, 1 << 20);
    let (mut tags, mut ages) = (none(), none());
    for _ in 0..N / 1024 {
        tags.extend([&[0x10][..], &[0x10, 0x13].repeat(1023)].concat());
        ages.extend([0; 1023]);
    }
    sparse.blocks.push(block(tags.len(), [tags, vec![9; N], ages, none(), none()]));
    trace(folder, "sparse-ids", false, &sparse.blocks[0], N as u64);
    let header = |out: &mut dyn Write, item: &[u8]| {
        out.write_all(b"PMTRACE 1\n{\"labels\": [").unwrap();
        out.write_all(&item.repeat(TEXT / item.len())).unwrap();
    };
    write(folder, "labels", |out| header(out, b"\"\","));
    // As much as may be parsed at all.
    write(folder, "some-labels", |out| {
        out.write_all(b"PMTRACE 1\n{\"labels\": [").unwrap();
        out.write_all(&b"\"\",".repeat(3_400_000)).unwrap();
        out.write_all(b"\"\"], \"form\": \"PMTRACE 1\", \"events\": 0, \"allocations\": 0, ").unwrap();
        out.write_all(b"\"addresses\": false}\n").unwrap();
    });
    write(folder, "nested-header", |out| header(out, b"["));
    dump(folder, "rows", |out| {
        (0..200_000).for_each(|id| writeln!(out, "[{id},0,0,1,1,0,[0,0]]").unwrap());
    });
    let row = |item: &'static [u8]| {
        move |out: &mut dyn Write| {
            out.write_all(b"[0,0,0,1,1,0,[").unwrap();
            out.write_all(&item.repeat(TEXT / item.len())).unwrap();
        }
    };
    dump(folder, "referents", row(b"0,"));
    dump(folder, "number", row(b"0"));
    dump(folder, "label", |out| {
        out.write_all(b"[0,0,0,1,1,0,[],\"").unwrap();
        out.write_all(&b"\\n".repeat(20 << 20)).unwrap();
        out.write_all(b"\"]\n").unwrap();
    });
    dump(folder, "large-objects", |out| {
        (0..200_000).for_each(|id| writeln!(out, "[{id},0,99999999999,1,1,0,[]]").unwrap());
    });
    dump(folder, "types", |out| {
        let class = |id| format!("{{\"type\":{{\"id\":{id},\"name\":\"\"}}}}\n");
        (0..200_000).rev().for_each(|id| out.write_all(class(id).as_bytes()).unwrap());
    });
    let line = |head: &'static [u8], item: &'static [u8]| {
        move |out: &mut dyn Write| {
            out.write_all(head).unwrap();
            out.write_all(&item.repeat(TEXT / item.len())).unwrap();
        }
    };
    dump(folder, "slots", line(b"{\"type\":{\"id\":0,\"name\":\"\",\"slots\":[", b"\"\","));
    dump(folder, "mappings", line(b"{\"process\":{\"smaps\":[", b"[0,0,0,0,\"\"],"));
    dump(folder, "mallocstats", line(b"{\"process\":{\"mallocstats\":\"", b"\\n"));
    dump(folder, "nested", line(b"{\"names\":", b"["));
    // Well formed to the end, and made to be looked at again and again.
    whole(folder, "chain-of-imports", 60_000, |id, modules| {
        let next = (id + 1) % modules;
        (vec![next], format!("m{id}"))
    });
    whole(folder, "imports-of-one-dict", 30_000, |_, modules| {
        ((0..modules).step_by(97).collect(), "m".to_owned())
    });
    write(folder, "spaces", line(b" ", b" "));
    write(folder, "header", line(b"{\"form\":[", b"[],"));
}

/// A dump of modules with a dict each; `module` tells what the dict's names lead to and how the module is called.
fn whole(folder: &Path, name: &str, modules: usize, module: impl Fn(usize, usize) -> (Vec<usize>, String)) {
    dump(folder, name, |out| {
        let mut edges = 0;
        let mut names = Vec::new();
        for id in 0..modules {
            let (leads_to, label) = module(id, modules);
            // Of the second kind only the first module has a dict, and all refer to it.
            let shared = label == "m";
            let dict = if shared { modules } else { modules + id };
            edges += 1;
            writeln!(
                out,
                "[{id},0,64,17,2,0,[{dict}],\"{label}{}\"]",
                if shared { id.to_string() } else { String::new() }
            )
            .unwrap();
            if !shared || id == 0 {
                names.push(leads_to);
            }
        }
        for (k, leads_to) in names.iter().enumerate() {
            edges += leads_to.len();
            writeln!(out, "[{},1,64,1,{modules},0,{leads_to:?}]", modules + k).unwrap();
        }
        for (k, leads_to) in names.iter().enumerate() {
            let keys = vec!["\"k\""; leads_to.len()].join(",");
            writeln!(out, "{{\"names\":{{\"id\":{},\"keys\":[{keys}]}}}}", modules + k).unwrap();
        }
        for (id, class) in ["builtins.module", "builtins.dict"].iter().enumerate() {
            writeln!(out, "{{\"type\":{{\"id\":{id},\"name\":\"{class}\"}}}}").unwrap();
        }
        let objects = modules + names.len();
        writeln!(out, "{{\"end\":{{\"objects\":{objects},\"edges\":{edges}}}}}").unwrap();
    });
}

/// Runs a command of the program on a file under the limit of address space, and checks what it costs and how
/// it ends.
fn run(command: &str, path: &Path) {
    let start = Instant::now();
    let output = common::limited(LIMITS).args([command, path.to_str().unwrap()]).output().unwrap();
    let took = start.elapsed();
    let line = String::from_utf8_lossy(&output.stderr);
    println!("{took:>10.1?} {command} {} {:?} {line}", path.display(), output.status.code());
    match output.status.code() {
        // Some of the files are valid and end well, under the limit.
        Some(0) => assert!(line.is_empty() && !output.stdout.is_empty()),
        Some(1) => {
            assert!(output.stdout.is_empty() && line.lines().count() == 1, "{line}");
            assert!(line.starts_with(&format!("cpymem: {}: ", path.display())), "{line}");
        }
        _ => panic!("{command} {} ended with {}: {line}", path.display(), output.status),
    }
}

#[test]
fn hostile_inputs_cost_little() {
    let folder = std::env::temp_dir().join(format!("cpymem-bounds-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    hostile(&folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 20);
    for path in &files {
        run("replay", path);
        run("heap", path);
        run("explain", path);
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
