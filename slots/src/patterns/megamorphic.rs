//! A place in a program where objects of 64 shapes come by.

use std::collections::HashMap;
use std::hint::black_box;

use super::outcome::{Outcome, Random, Scale};
use super::word::Word;
use crate::object::{Caches, Class, Counted, InlineCache, Instance, Loaded, Name, Shapes, Slots};
use std::rc::Rc;

const SHAPES: usize = 64;
/// Objects of each shape.
const EACH: usize = 16;

/// The names of shape `shape`: `age` stands among them at one of eight places.
fn names(shape: usize) -> Vec<String> {
    let mut names: Vec<String> = (0..8).map(|i| format!("a{shape}_{i}")).collect();
    names[shape % 8] = "age".into();
    names
}

/// Shapes of the objects, in the order in which they are read.
fn order() -> Vec<usize> {
    Random::new(11).shuffled(SHAPES * EACH).into_iter().map(|i| i as usize % SHAPES).collect()
}

fn run<O>(scale: Scale, make: impl Fn(usize) -> O, mut read: impl FnMut(&O) -> u64) -> Outcome {
    let order = order();
    let objects: Vec<O> = order.iter().map(|&shape| make(shape)).collect();
    let expected: u64 = order.iter().map(|&shape| shape as u64).sum();
    let rounds = scale.of(5000);
    Outcome::of(|| {
        let mut wrong = 0;
        for _ in 0..rounds {
            let sum: u64 = black_box(&objects[..]).iter().map(&mut read).sum();
            wrong += u64::from(sum != expected);
        }
        (rounds * objects.len(), wrong)
    })
}

/// Slot objects of 64 shapes and the global cache.
pub(super) fn slots(scale: Scale) -> Outcome {
    let mut shapes = Shapes::new();
    let age = shapes.intern("age");
    let classes: Vec<_> = (0..SHAPES)
        .map(|shape| {
            let names: Vec<Name> = names(shape).iter().map(|name| shapes.intern(name)).collect();
            shapes.class(&names).expect("eight different names")
        })
        .collect();
    let (mut site, mut caches) = (InlineCache::new(), Caches::new());
    let make = |shape: usize| {
        let mut object = Slots::new(classes[shape]);
        object.set(age, Word::number(shape as i64), &shapes).expect("each shape has it");
        object
    };
    run(scale, make, |object| {
        object.get_polymorphic(&mut site, &mut caches, age, &shapes).map_or(u64::MAX, Word::weight)
    })
}

/// Instances of 64 classes and the global cache.
pub(super) fn instances(scale: Scale) -> Outcome {
    let mut shapes = Shapes::new();
    let age = shapes.intern("age");
    let classes: Vec<_> = (0..SHAPES)
        .map(|shape| {
            let names: Vec<Name> = names(shape).iter().map(|name| shapes.intern(name)).collect();
            let class = Class::<Word, Counted>::make("C", &[], &names, false, Rc::new);
            class.expect("eight different names")
        })
        .collect();
    let (mut site, mut caches) = (InlineCache::new(), Caches::new());
    let make = |shape: usize| {
        let mut object = Instance::<Word, Counted>::new(&classes[shape]);
        object.set(age, Word::number(shape as i64)).expect("each class has it");
        object
    };
    run(scale, make, |object| match object.get_cached(&mut site, &mut caches, age) {
        Ok(Loaded::Own(word)) => word.weight(),
        _ => u64::MAX,
    })
}

/// A `HashMap` in each object.
pub(super) fn maps(scale: Scale) -> Outcome {
    let texts: Vec<Vec<String>> = (0..SHAPES).map(names).collect();
    let make = |shape: usize| {
        let pairs = texts[shape].iter().map(|name| (name.as_str(), Word::number(shape as i64)));
        pairs.collect::<HashMap<&str, Word>>()
    };
    run(scale, make, |object| object.get(black_box("age")).map_or(u64::MAX, Word::weight))
}
