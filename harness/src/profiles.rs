//! User profiles of three attributes in three layouts: a key-sharing dict each, slots, a plain Rust struct.
//!
//! All three hold the same values: counted references to objects, as in CPython. Names and tokens are objects of
//! their own; ages are shared immortal ones, as CPython's small integers are. The profiles lie on a heap of
//! `cpymem-allocator`, the values do not, so what the heap holds is what the layouts cost.

use std::time::Instant;

use allocator_api2::boxed::Box as HeapBox;
use cpymem_allocator::Heap;
use cpymem_refcount::rc::Rc;
use cpymem_slots::model::{ClassLayout, Target};
use cpymem_slots::object::{Dict, InlineCache, Name, Shape, Shapes, SharedKeys, Slots};

use crate::progress::Progress;
use crate::record::{Check, CpythonBytes, LayoutRecord, ProfilesRecord};

/// Profiles that the workload makes.
pub const COUNT: u64 = 1_000_000;

const ATTRIBUTES: [&str; 3] = ["name", "age", "api_token"];
/// Interpreters whose layouts stand beside ours.
const PYTHONS: [&str; 3] = ["3.11.7", "3.12.1", "3.13.0"];
/// Bytes that a heap may keep once everything on it was deleted.
const KEPT: u64 = 2 << 20;

/// An object that a profile refers to.
enum Object {
    Text(Box<str>),
    Number(u64),
}

type Value = Rc<Object>;

/// What a read of the value adds to the sum.
#[inline]
fn weight(value: &Value) -> u64 {
    match &**value {
        Object::Text(text) => text.len() as u64,
        Object::Number(number) => *number,
    }
}

/// The values of all profiles, and the sum of their weights.
fn values(count: u64) -> (Vec<[Value; 3]>, u64) {
    let ages: Vec<Value> = (0..100).map(|age| Rc::new(Object::Number(age))).collect();
    ages.iter().for_each(Rc::immortalize);
    let text = |text: String| Rc::new(Object::Text(text.into()));
    let values: Vec<[Value; 3]> = (0..count)
        .map(|i| {
            let token = u128::from(i).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
            [text(format!("user{i}")), ages[(i % 100) as usize].clone(), text(format!("{token:032x}"))]
        })
        .collect();
    let digits = |i: u64| u64::from(i.checked_ilog10().unwrap_or(0)) + 1;
    let sum = (0..count).map(|i| 4 + digits(i) + i % 100 + 32).sum();
    (values, sum)
}

/// A layout: how a profile is made and read.
trait Layout {
    const NAME: &'static str;
    const DESCRIPTION: &'static str;
    type Profile<'h>;

    fn new() -> Self;
    fn make<'h>(&mut self, values: &[Value; 3], heap: &'h Heap) -> Self::Profile<'h>;
    /// The weights of all attributes.
    fn read(&mut self, profile: &Self::Profile<'_>) -> u64;
    /// The class in CPython, if it has one.
    fn class(object: &ClassLayout) -> Option<ClassLayout>;
}

/// A key-sharing dict for each profile.
struct WithDict {
    keys: SharedKeys,
    names: [Name; 3],
    caches: [InlineCache; 3],
}

fn names(shapes: &mut Shapes) -> [Name; 3] {
    ATTRIBUTES.map(|name| shapes.intern(name))
}

impl Layout for WithDict {
    const NAME: &'static str = "dict";
    const DESCRIPTION: &'static str = "class with a key-sharing dict";
    type Profile<'h> = Dict<Value, &'h Heap>;

    fn new() -> WithDict {
        let names = names(&mut Shapes::new());
        WithDict { keys: SharedKeys::new(), names, caches: Default::default() }
    }

    fn make<'h>(&mut self, values: &[Value; 3], heap: &'h Heap) -> Dict<Value, &'h Heap> {
        let mut profile = Dict::new_in(&mut self.keys, heap);
        for ((value, &name), cache) in values.iter().zip(&self.names).zip(&mut self.caches) {
            // The keys are those of the object's class.
            let _ = profile.set_cached(cache, name, value.clone(), &mut self.keys);
        }
        profile
    }

    #[inline]
    fn read(&mut self, profile: &Dict<Value, &Heap>) -> u64 {
        let caches = self.caches.iter_mut().zip(&self.names);
        caches.map(|(cache, &name)| profile.get_cached(cache, name, &self.keys).map_or(0, weight)).sum()
    }

    fn class(object: &ClassLayout) -> Option<ClassLayout> {
        ClassLayout::new("Profile", &[object]).ok()
    }
}

/// A slot for each attribute.
struct WithSlots {
    shapes: Shapes,
    class: Option<Shape>,
    names: [Name; 3],
    caches: [InlineCache; 3],
}

impl Layout for WithSlots {
    const NAME: &'static str = "slots";
    const DESCRIPTION: &'static str = "class with __slots__";
    type Profile<'h> = Option<Slots<Value, &'h Heap>>;

    fn new() -> WithSlots {
        let mut shapes = Shapes::new();
        let names = names(&mut shapes);
        let class = shapes.class(&names).ok();
        WithSlots { shapes, class, names, caches: Default::default() }
    }

    fn make<'h>(&mut self, values: &[Value; 3], heap: &'h Heap) -> Option<Slots<Value, &'h Heap>> {
        self.class.map(|class| Slots::with_values_in(class, values.iter().cloned(), heap))
    }

    #[inline]
    fn read(&mut self, profile: &Option<Slots<Value, &Heap>>) -> u64 {
        let Some(profile) = profile else {
            return 0;
        };
        let caches = self.caches.iter_mut().zip(&self.names);
        caches.map(|(cache, &name)| profile.get_cached(cache, name, &self.shapes).map_or(0, weight)).sum()
    }

    fn class(object: &ClassLayout) -> Option<ClassLayout> {
        ClassLayout::with_slots("Profile", &[object], &ATTRIBUTES).ok()
    }
}

/// What a Rust program that knows its attributes would write.
struct Plain;

struct Profile {
    name: Value,
    age: Value,
    api_token: Value,
}

impl Layout for Plain {
    const NAME: &'static str = "plain";
    const DESCRIPTION: &'static str = "Rust struct";
    type Profile<'h> = HeapBox<Profile, &'h Heap>;

    fn new() -> Plain {
        Plain
    }

    fn make<'h>(&mut self, values: &[Value; 3], heap: &'h Heap) -> HeapBox<Profile, &'h Heap> {
        let [name, age, api_token] = values.clone();
        HeapBox::new_in(Profile { name, age, api_token }, heap)
    }

    #[inline]
    fn read(&mut self, profile: &HeapBox<Profile, &Heap>) -> u64 {
        weight(&profile.name) + weight(&profile.age) + weight(&profile.api_token)
    }

    fn class(_: &ClassLayout) -> Option<ClassLayout> {
        None
    }
}

/// Makes, reads and deletes `count` profiles in every layout.
pub fn profiles(count: u64, progress: &Progress) -> ProfilesRecord {
    progress.pass("profiles: values");
    let (values, sum) = values(count);
    let mut layouts = Vec::new();
    let mut checks = Vec::new();
    measure::<WithDict>(&values, sum, &mut layouts, &mut checks, progress);
    measure::<WithSlots>(&values, sum, &mut layouts, &mut checks, progress);
    measure::<Plain>(&values, sum, &mut layouts, &mut checks, progress);
    let [dict, slots, plain] = [0, 1, 2].map(|i: usize| layouts[i].object_bytes);
    checks.push(Check {
        claim: "bytes each: slots below dict, plain not above slots".to_owned(),
        expected: "plain <= slots < dict".to_owned(),
        seen: format!("{plain:.1}, {slots:.1}, {dict:.1}"),
        holds: plain <= slots && slots < dict,
    });
    let held =
        values.iter().flatten().filter(|value| !Rc::is_immortal(value) && Rc::strong_count(value) != 1);
    checks.push(Check::equal("values that a deleted profile still refers to", 0, held.count() as u64));
    ProfilesRecord { schema: "cpymem.profiles/1", count, layouts, checks }
}

fn measure<L: Layout>(
    values: &[[Value; 3]],
    sum: u64,
    layouts: &mut Vec<LayoutRecord>,
    checks: &mut Vec<Check>,
    progress: &Progress,
) {
    progress.pass(&format!("profiles: {}", L::NAME));
    let per = |start: Instant, parts: usize| start.elapsed().as_nanos() as f64 / parts.max(1) as f64;
    let heap = Heap::new();
    let mut layout = L::new();
    let mut profiles = Vec::with_capacity(values.len());

    let start = Instant::now();
    profiles.extend(values.iter().map(|values| layout.make(values, &heap)));
    let create_ns = per(start, values.len());
    let bytes = heap.stats().bytes_in_use() + heap.stats().large_bytes();
    let held = heap.held_bytes() as u64;

    let start = Instant::now();
    let read: u64 = profiles.iter().map(|profile| layout.read(profile)).sum();
    let read_ns = per(start, values.len() * ATTRIBUTES.len());

    let start = Instant::now();
    drop(profiles);
    let delete_ns = per(start, values.len());
    let after = heap.held_bytes() as u64;

    checks.push(Check::equal(format!("{}: sum of all attributes read", L::NAME), sum, read));
    checks.push(Check {
        claim: format!("{}: bytes that the heap holds after all were deleted", L::NAME),
        expected: format!("at most {KEPT}"),
        seen: after.to_string(),
        holds: after <= KEPT,
    });
    layouts.push(LayoutRecord {
        name: L::NAME,
        description: L::DESCRIPTION,
        object_bytes: bytes as f64 / values.len().max(1) as f64,
        held_bytes_each: held as f64 / values.len().max(1) as f64,
        cpython: PYTHONS.iter().filter_map(|python| cpython::<L>(python)).collect(),
        create_ns,
        read_ns,
        delete_ns,
        held_bytes: held,
        held_after_bytes: after,
    });
}

/// What the model says about an instance of the same layout in CPython.
fn cpython<L: Layout>(python: &str) -> Option<CpythonBytes> {
    let target: Target = python.parse().ok()?;
    let layout = L::class(&ClassLayout::object(target).ok()?)?;
    let footprint = layout.steady(ATTRIBUTES).ok()?;
    Some(CpythonBytes { python: python.to_owned(), bytes: footprint.heap_bytes() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_profiles_hold_every_claim_and_the_bytes_of_cpython() {
        let record = profiles(10_000, &Progress::silent());
        assert!(
            record.checks.len() == 8 && record.checks.iter().all(|check| check.holds),
            "{:?}",
            record.checks
        );
        let cpython =
            |i: usize| record.layouts[i].cpython.iter().map(|known| known.bytes).collect::<Vec<_>>();
        // Measured on the interpreters: blocks of pymalloc for a warm class of three attributes.
        assert_eq!(cpython(0), [112, 96, 96]);
        assert_eq!(cpython(1), [64, 64, 64]);
        assert!(cpython(2).is_empty());
        assert!(record.layouts[1].object_bytes <= 32.1, "8 bytes of header and three references");
    }
}
