//! A worker's heap, as a dump of it would have it.

use std::fmt::Write;

use crate::bench::Random;

/// What a request leaves behind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaks {
    pub(super) cache: bool,
    pub(super) errors: bool,
    pub(super) listeners: bool,
}

/// Sessions that a worker that does not leak keeps, too.
const RECENT: usize = 50;

/// A worker between two requests.
pub(super) struct Worker {
    random: Random,
    leaks: Leaks,
    /// Sizes of what the entries hold.
    pub(super) cache: Vec<u64>,
    pub(super) errors: Vec<u64>,
    pub(super) listeners: usize,
    recent: Vec<u64>,
}

impl Worker {
    pub(super) fn new(seed: u64, leaks: Leaks) -> Worker {
        Worker {
            random: Random::new(seed),
            leaks,
            cache: Vec::new(),
            errors: Vec::new(),
            listeners: 0,
            recent: Vec::new(),
        }
    }

    /// The same requests as those of the script.
    pub(super) fn serve(&mut self, requests: usize) {
        for _ in 0..requests {
            let mut one_in_ten = |below| self.random.below(10) < below;
            let (caches, fails, subscribes) = (one_in_ten(6), one_in_ten(1), one_in_ten(2));
            let size = 64 + self.random.below(400) as u64;
            self.recent.push(size);
            if self.recent.len() > RECENT {
                self.recent.remove(0);
            }
            if self.leaks.cache && caches {
                self.cache.push(size);
            }
            if self.leaks.errors && fails {
                self.errors.push(size);
            }
            self.listeners += usize::from(self.leaks.listeners && subscribes);
        }
    }

    /// What it holds, in the form PYHEAP 2.
    pub(super) fn dump(&self) -> Vec<u8> {
        let mut rows = Rows::default();
        let module = rows.object(MODULE, 72, 1);
        let names = rows.object(DICT, 232, 0);
        rows.refer(module, names);
        let [cache, errors, listeners, recent] =
            [DICT, LIST, LIST, LIST].map(|kind| rows.object(kind, 64, 0));
        [cache, errors, listeners, recent].into_iter().for_each(|held| rows.refer(names, held));
        for &size in &self.cache {
            rows.session(cache, size);
        }
        for &size in &self.recent {
            rows.session(recent, size);
        }
        for &size in &self.errors {
            rows.chain(errors, &[(ERROR, 72), (TRACEBACK, 64), (FRAME, 120), (BYTES, size)]);
        }
        for _ in 0..self.listeners {
            rows.chain(listeners, &[(METHOD, 64), (LISTENER, 48)]);
        }
        rows.text(module, names, "[\"CACHE\",\"ERRORS\",\"LISTENERS\",\"RECENT\"]")
    }
}

/// A type: its place in [`TYPES`].
type Kind = usize;
const MODULE: Kind = 0;
const DICT: Kind = 1;
const LIST: Kind = 2;
const SESSION: Kind = 3;
const BYTES: Kind = 4;
const ERROR: Kind = 5;
const TRACEBACK: Kind = 6;
const FRAME: Kind = 7;
const METHOD: Kind = 8;
const LISTENER: Kind = 9;

/// Names, and flags of instances.
const TYPES: [(&str, u8); 10] = [
    ("builtins.module", 17),
    ("builtins.dict", 1),
    ("builtins.list", 1),
    ("worker.Session", 1),
    ("builtins.bytearray", 0),
    ("builtins.ValueError", 1),
    ("builtins.traceback", 1),
    ("builtins.frame", 65),
    ("builtins.method", 1),
    ("worker.Listener", 1),
];

/// An object of the dump.
struct Row {
    kind: Kind,
    size: u64,
    references: u32,
    referents: Vec<usize>,
}

#[derive(Default)]
struct Rows(Vec<Row>);

impl Rows {
    fn object(&mut self, kind: Kind, size: u64, references: u32) -> usize {
        self.0.push(Row { kind, size, references, referents: Vec::new() });
        self.0.len() - 1
    }

    fn refer(&mut self, from: usize, to: usize) {
        self.0[from].referents.push(to);
        self.0[to].references += 1;
    }

    /// Objects each of which refers to the next one.
    fn chain(&mut self, mut from: usize, objects: &[(Kind, u64)]) {
        for &(kind, size) in objects {
            let object = self.object(kind, size, 0);
            self.refer(from, object);
            from = object;
        }
    }

    fn session(&mut self, from: usize, size: u64) {
        self.chain(from, &[(SESSION, 48), (BYTES, size + 57)]);
    }

    fn text(&self, module: usize, names: usize, keys: &str) -> Vec<u8> {
        let mut text = String::from("{\"form\":\"PYHEAP 2\",\"python\":\"3.12.1\"}\n");
        let mut edges = 0;
        for (id, row) in self.0.iter().enumerate() {
            let Row { kind, size, references, referents } = row;
            let list: Vec<String> = referents.iter().map(usize::to_string).collect();
            let label = if id == module { ",\"worker\"" } else { "" };
            let (flags, list) = (TYPES[*kind].1, list.join(","));
            let _ = writeln!(text, "[{id},{kind},{size},{flags},{references},0,[{list}]{label}]");
            edges += referents.len();
        }
        let _ = writeln!(text, "{{\"names\":{{\"id\":{names},\"keys\":{keys}}}}}");
        for (id, (name, flags)) in TYPES.iter().enumerate() {
            let _ =
                writeln!(text, "{{\"type\":{{\"id\":{id},\"name\":\"{name}\",\"gc\":{}}}}}", flags & 1 == 1);
        }
        let _ = writeln!(text, "{{\"end\":{{\"objects\":{},\"edges\":{edges}}}}}", self.0.len());
        text.into_bytes()
    }
}
