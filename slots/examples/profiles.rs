//! A million user profiles (name, age, API token) in four layouts: bytes, creation, reads, deletion.
//!
//! ```text
//! cargo run --release -p cpymem-slots --example profiles [NUMBER]
//! ```
//!
//! Every layout stores the same values, must answer with the same sums, and has a process of its own.
//! Times are the best of several rounds. `hot` reads a thousand objects again and again, `all` reads all in
//! order; reading a value looks at it, too.

use std::collections::HashMap;
use std::hint::black_box;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use cpymem_slots::object::{Dict, InlineCache, Name, Shape, Shapes, SharedKeys, Slots};

/// Objects that are read again and again.
const HOT: usize = 1000;

enum Value {
    Str(Box<str>),
    Int(i64),
}

impl Value {
    /// What a read adds to the sum.
    #[inline]
    fn weight(&self) -> i64 {
        match self {
            Value::Str(text) => text.len() as i64,
            Value::Int(number) => *number,
        }
    }
}

fn values(i: usize) -> [Value; 3] {
    let name = format!("user{i}").into();
    let token = format!("{:032x}", i as u128 * 0x9e37_79b9_7f4a_7c15).into();
    [Value::Str(name), Value::Int((i % 100) as i64), Value::Str(token)]
}

/// A layout under test: makes an object, reads the attributes of all.
trait Layout {
    type Object;
    const NAME: &'static str;
    fn make(&mut self, values: [Value; 3]) -> Self::Object;
    /// The sum of one attribute (0 name, 1 age, 2 token).
    fn sum(&mut self, objects: &[Self::Object], attribute: usize) -> i64;
    /// Allocations and bytes asked for, strings excluded.
    fn bytes(object: &Self::Object) -> (usize, usize);
}

/// `Box<Profile>`: what a Rust program that knows its attributes would write.
struct Plain;

struct Profile {
    name: Value,
    age: Value,
    token: Value,
}

impl Layout for Plain {
    type Object = Box<Profile>;
    const NAME: &'static str = "plain struct";

    fn make(&mut self, [name, age, token]: [Value; 3]) -> Box<Profile> {
        Box::new(Profile { name, age, token })
    }

    fn sum(&mut self, objects: &[Box<Profile>], attribute: usize) -> i64 {
        match attribute {
            0 => objects.iter().map(|it| it.name.weight()).sum(),
            1 => objects.iter().map(|it| it.age.weight()).sum(),
            _ => objects.iter().map(|it| it.token.weight()).sum(),
        }
    }

    fn bytes(_: &Box<Profile>) -> (usize, usize) {
        (1, size_of::<Profile>())
    }
}

struct Slotted {
    shapes: Shapes,
    class: Shape,
    names: [Name; 3],
    caches: [InlineCache; 3],
}

impl Layout for Slotted {
    type Object = Slots<Value>;
    const NAME: &'static str = "Slots";

    fn make(&mut self, values: [Value; 3]) -> Slots<Value> {
        Slots::with_values(self.class, values)
    }

    fn sum(&mut self, objects: &[Slots<Value>], attribute: usize) -> i64 {
        let (cache, name) = (&mut self.caches[attribute], self.names[attribute]);
        let read = |it: &Slots<Value>| it.get_cached(cache, name, &self.shapes).map_or(0, Value::weight);
        objects.iter().map(read).sum()
    }

    fn bytes(object: &Slots<Value>) -> (usize, usize) {
        (object.footprint().allocations, object.footprint().bytes)
    }
}

struct KeySharing {
    keys: SharedKeys,
    names: [Name; 3],
    caches: [InlineCache; 3],
}

impl Layout for KeySharing {
    type Object = Dict<Value>;
    const NAME: &'static str = "Dict";

    fn make(&mut self, values: [Value; 3]) -> Dict<Value> {
        let mut object = Dict::new(&mut self.keys);
        for ((name, cache), value) in self.names.into_iter().zip(&mut self.caches).zip(values) {
            object.set_cached(cache, name, value, &mut self.keys).expect("the keys are those of the class");
        }
        object
    }

    fn sum(&mut self, objects: &[Dict<Value>], attribute: usize) -> i64 {
        let (cache, name) = (&mut self.caches[attribute], self.names[attribute]);
        let read = |it: &Dict<Value>| it.get_cached(cache, name, &self.keys).map_or(0, Value::weight);
        objects.iter().map(read).sum()
    }

    fn bytes(object: &Dict<Value>) -> (usize, usize) {
        (object.footprint().allocations, object.footprint().bytes)
    }
}

/// A hash map for each object, as a dynamic program in Rust often starts out.
struct Hashed([&'static str; 3]);

impl Layout for Hashed {
    type Object = HashMap<&'static str, Value>;
    const NAME: &'static str = "std HashMap";

    fn make(&mut self, values: [Value; 3]) -> Self::Object {
        self.0.into_iter().zip(values).collect()
    }

    fn sum(&mut self, objects: &[Self::Object], attribute: usize) -> i64 {
        let name = self.0[attribute];
        objects.iter().map(|it| it.get(name).map_or(0, Value::weight)).sum()
    }

    fn bytes(object: &Self::Object) -> (usize, usize) {
        // Buckets are a power of two, 7/8 full at most; a control byte each and 16 more (hashbrown).
        let buckets = (object.capacity() * 8 / 7).next_power_of_two();
        (1, size_of_val(object) + buckets * (size_of::<(&str, Value)>() + 1) + 16)
    }
}

/// Bytes of an object; nanoseconds for each object made or deleted, and for each attribute read.
struct Figures {
    bytes: f64,
    make: f64,
    hot: f64,
    all: f64,
    delete: f64,
}

impl Figures {
    fn columns(&self) -> [f64; 5] {
        [self.bytes, self.make, self.hot, self.all, self.delete]
    }
}

fn measure<L: Layout>(mut layout: L, number: usize) -> Figures {
    let per = |start: Instant, count: usize| start.elapsed().as_nanos() as f64 / count as f64;
    let (mut make, mut delete) = (f64::MAX, f64::MAX);
    let mut objects = Vec::new();
    for round in 0..4 {
        let start = Instant::now();
        drop(std::mem::take(&mut objects));
        if round > 0 {
            delete = delete.min(per(start, number));
        }
        let inputs: Vec<_> = (0..number).map(values).collect();
        let start = Instant::now();
        objects = inputs.into_iter().map(|values| layout.make(values)).collect();
        make = make.min(per(start, number));
    }

    let expected: i64 = (0..number).map(|i| (i % 100) as i64).sum();
    assert_eq!(layout.sum(&objects, 1), expected, "{}: sum of ages", L::NAME);
    assert_eq!(layout.sum(&objects, 2), 32 * number as i64, "{}: lengths of tokens", L::NAME);

    let mut best = |objects: &[L::Object], repeat: usize| {
        let round = |_| {
            let start = Instant::now();
            for _ in 0..repeat {
                for attribute in 0..3 {
                    black_box(layout.sum(black_box(objects), attribute));
                }
            }
            per(start, repeat * objects.len() * 3)
        };
        (0..7).map(round).fold(f64::MAX, f64::min)
    };
    let hot = best(&objects[..HOT.min(number)], 1000);
    let all = best(&objects, 1);
    let bytes = objects.last().map_or(0, |last| L::bytes(last).1) as f64;
    Figures { bytes, make, hot, all, delete }
}

/// Measures one layout in this process.
fn measure_named(name: &str, number: usize) -> Option<Figures> {
    let texts = ["name", "age", "api_token"];
    let mut shapes = Shapes::new();
    let names = texts.map(|text| shapes.intern(text));
    let class = shapes.class(&names).expect("three names");
    let caches = [InlineCache::new(); 3];
    Some(match name {
        Plain::NAME => measure(Plain, number),
        Slotted::NAME => measure(Slotted { shapes, class, names, caches }, number),
        KeySharing::NAME => measure(KeySharing { keys: SharedKeys::new(), names, caches }, number),
        Hashed::NAME => measure(Hashed(texts), number),
        _ => return None,
    })
}

/// Measures a layout in a process of its own, so that none finds the heap as another left it.
fn measure_apart(name: &str, number: usize) -> Option<[f64; 5]> {
    let this = std::env::current_exe().ok()?;
    let output =
        Command::new(this).args([&number.to_string(), name]).stderr(Stdio::inherit()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let columns: Vec<f64> = text.split_whitespace().map_while(|column| column.parse().ok()).collect();
    columns.try_into().ok()
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let number = arguments.next().map_or(Ok(1_000_000), |text| text.parse());
    let Some(number) = number.ok().filter(|&number: &usize| number > 0) else {
        eprintln!("usage: profiles [NUMBER]");
        return ExitCode::from(2);
    };
    if let Some(name) = arguments.next() {
        let Some(figures) = measure_named(&name, number) else { return ExitCode::from(2) };
        println!("{}", figures.columns().map(|column| column.to_string()).join(" "));
        return ExitCode::SUCCESS;
    }

    println!("{number} profiles of 3 attributes; ns for each object (make, delete) or read (hot, all)");
    println!(
        "{:13} {:>6} {:>7} {:>7} {:>7} {:>7}   ratio to the plain struct",
        "", "bytes", "make", "hot", "all", "delete"
    );
    let mut plain = None;
    for name in [Plain::NAME, Slotted::NAME, KeySharing::NAME, Hashed::NAME] {
        let Some(it) = measure_apart(name, number) else {
            eprintln!("profiles: {name}: no measurement");
            return ExitCode::FAILURE;
        };
        let [bytes, make, hot, all, delete] = it;
        let base = plain.get_or_insert(it);
        let ratios: Vec<String> =
            it.iter().zip(base).map(|(it, base)| format!("{:6.2}", it / *base)).collect();
        println!("{name:13} {bytes:6} {make:7.1} {hot:7.2} {all:7.2} {delete:7.1}   {}", ratios.join(" "));
    }
    ExitCode::SUCCESS
}
