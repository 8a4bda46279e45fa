//! Slot and dict objects against a plain list of pairs.

mod common;

use common::{Counting, Empty};
use cpymem_slots::model;
use cpymem_slots::object::{
    AttributeError, Dict, Footprint, InlineCache, MAX_SHARED, Name, ShapeError, Shapes, SharedKeys, Slots,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// The slow and obvious object: a list of pairs in insertion order.
#[derive(Default)]
struct Pairs(Vec<(Name, String)>);

impl Pairs {
    fn get(&self, name: Name) -> Option<&String> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    fn set(&mut self, name: Name, value: String) -> Option<String> {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => Some(std::mem::replace(old, value)),
            None => {
                self.0.push((name, value));
                None
            }
        }
    }

    fn delete(&mut self, name: Name) -> Option<String> {
        let at = self.0.iter().position(|(known, _)| *known == name)?;
        Some(self.0.remove(at).1)
    }
}

#[derive(Clone, Debug)]
enum Event {
    Get(usize),
    Set(usize),
    Change(usize),
    Delete(usize),
    /// The next object of the class.
    Switch(usize),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        4 => (0..60usize).prop_map(Event::Get),
        6 => (0..60usize).prop_map(Event::Set),
        1 => (0..60usize).prop_map(Event::Change),
        3 => (0..60usize).prop_map(Event::Delete),
        1 => (0..4usize).prop_map(Event::Switch),
    ];
    vec(event, 0..400)
}

fn intern(shapes: &mut Shapes, n: usize) -> Vec<Name> {
    (0..n).map(|i| shapes.intern(&format!("a{i}"))).collect()
}

proptest! {
    #[test]
    fn dicts_answer_as_a_list_of_pairs(events in events(), names in 1..60usize) {
        let mut shapes = Shapes::new();
        let names = intern(&mut shapes, names);
        let mut caches = vec![InlineCache::new(); names.len()];
        let (mut keys, strangers) = (SharedKeys::new(), SharedKeys::new());
        let alloc = Counting::default();
        let mut objects: Vec<(Dict<String, Counting>, Pairs)> =
            (0..4).map(|_| (Dict::new_in(&mut keys, alloc.clone()), Pairs::default())).collect();
        let mut now = 0;
        for (time, event) in events.into_iter().enumerate() {
            let (object, pairs) = &mut objects[now];
            let cached = time % 2 == 0;
            match event {
                Event::Get(i) => {
                    let (name, cache) = (names[i % names.len()], &mut caches[i % names.len()]);
                    let got = if cached { object.get_cached(cache, name, &keys) } else { object.get(name, &keys) };
                    prop_assert_eq!(got, pairs.get(name).ok_or(AttributeError::Absent { name }));
                }
                Event::Set(i) => {
                    let (name, cache) = (names[i % names.len()], &mut caches[i % names.len()]);
                    let value = time.to_string();
                    let before = pairs.set(name, value.clone());
                    let set = if cached {
                        object.set_cached(cache, name, value, &mut keys)
                    } else {
                        object.set(name, value, &mut keys)
                    };
                    prop_assert_eq!(set, Ok(before));
                }
                Event::Change(i) => {
                    let name = names[i % names.len()];
                    match object.get_mut(name, &keys) {
                        Ok(value) => value.push('!'),
                        Err(error) => prop_assert_eq!(error, AttributeError::Absent { name }),
                    }
                    if let Some((_, value)) = pairs.0.iter_mut().find(|(known, _)| *known == name) {
                        value.push('!');
                    }
                }
                Event::Delete(i) => {
                    let name = names[i % names.len()];
                    let deleted = object.delete(name, &keys);
                    prop_assert_eq!(deleted, pairs.delete(name).ok_or(AttributeError::Absent { name }));
                }
                Event::Switch(i) => now = i,
            }
            let (object, pairs) = &objects[now];
            prop_assert_eq!(object.len(), pairs.0.len());
            prop_assert!(object.iter(&keys).eq(pairs.0.iter().map(|(name, value)| (*name, value))));
            if object.is_shared() {
                prop_assert_eq!(object.get(names[0], &strangers), Err(AttributeError::ForeignKeys));
                prop_assert_eq!(object.iter(&strangers).count(), 0);
            }
        }
        let sum = |f: fn(&Footprint) -> usize| objects.iter().map(|(it, _)| f(&it.footprint())).sum::<usize>();
        prop_assert_eq!(sum(|it| it.bytes), alloc.held().bytes);
        prop_assert_eq!(sum(|it| it.allocations), alloc.held().allocations);
        drop(objects);
        prop_assert_eq!(alloc.held(), Footprint::default());
    }

    #[test]
    fn slots_answer_as_a_list_of_pairs(events in events(), names in 1..60usize, slots in 0..60usize) {
        let mut shapes = Shapes::new();
        let names = intern(&mut shapes, names);
        let slots = slots.min(names.len());
        let class = shapes.class(&names[..slots]).unwrap();
        let mut caches = vec![InlineCache::new(); names.len()];
        let alloc = Counting::default();
        let mut object: Slots<String, Counting> = Slots::new_in(class, alloc.clone());
        let mut pairs = Pairs::default();
        prop_assert_eq!(object.footprint(), alloc.held());
        for (time, event) in events.into_iter().enumerate() {
            let cached = time % 2 == 0;
            let missing = |i: usize| {
                let name = names[i];
                if i < slots { AttributeError::Unset { name } } else { AttributeError::Absent { name } }
            };
            match event {
                Event::Get(i) => {
                    let i = i % names.len();
                    let got = if cached {
                        object.get_cached(&mut caches[i], names[i], &shapes)
                    } else {
                        object.get(names[i], &shapes)
                    };
                    prop_assert_eq!(got, pairs.get(names[i]).ok_or(missing(i)));
                }
                Event::Set(i) => {
                    let i = i % names.len();
                    let set = if cached {
                        object.set_cached(&mut caches[i], names[i], time.to_string(), &shapes)
                    } else {
                        object.set(names[i], time.to_string(), &shapes)
                    };
                    let expected = if i < slots { Ok(pairs.set(names[i], time.to_string())) } else { Err(missing(i)) };
                    prop_assert_eq!(set, expected);
                }
                Event::Change(i) => {
                    let i = i % names.len();
                    match object.get_mut(names[i], &shapes) {
                        Ok(value) => value.push('!'),
                        Err(error) => prop_assert_eq!(error, missing(i)),
                    }
                    if let Some((_, value)) = pairs.0.iter_mut().find(|(known, _)| *known == names[i]) {
                        value.push('!');
                    }
                }
                Event::Delete(i) | Event::Switch(i) => {
                    let i = i % names.len();
                    prop_assert_eq!(object.delete(names[i], &shapes), pairs.delete(names[i]).ok_or(missing(i)));
                }
            }
            pairs.0.sort_by_key(|(name, _)| *name); // slots keep no order in time
            prop_assert!(object.iter(&shapes).eq(pairs.0.iter().map(|(name, value)| (*name, value))));
        }
        drop(object);
        prop_assert_eq!(alloc.held(), Footprint::default());
    }

    #[test]
    fn shapes_answer_as_lists_of_names(paths in vec(vec(0..20usize, 0..15), 1..20)) {
        let mut shapes = Shapes::new();
        let names = intern(&mut shapes, 20);
        for path in paths {
            let mut known: Vec<Name> = Vec::new();
            let mut shape = shapes.root();
            for i in path {
                match shapes.add(shape, names[i]) {
                    Ok(larger) => {
                        prop_assert!(!known.contains(&names[i]));
                        prop_assert_eq!(shapes.add(shape, names[i]), Ok(larger));
                        known.push(names[i]);
                        shape = larger;
                    }
                    Err(error) => {
                        prop_assert_eq!(error, ShapeError::Twice { name: names[i] });
                        prop_assert!(known.contains(&names[i]));
                    }
                }
                for indexed in [false, true] {
                    for &name in &names {
                        let expected = known.iter().position(|&it| it == name);
                        prop_assert_eq!(shapes.lookup(shape, name), expected);
                    }
                    if indexed && known.len().is_multiple_of(4) {
                        shapes.index(shape).unwrap();
                    }
                }
            }
            prop_assert_eq!(shapes.names(shape), known.clone());
            prop_assert_eq!(shapes.class(&known), Ok(shape));
        }
    }

    #[test]
    fn names_are_equal_where_texts_are(texts in vec(any::<String>(), 0..100)) {
        let mut shapes = Shapes::new();
        for text in &texts {
            let name = shapes.intern(text);
            prop_assert_eq!(shapes.text(name), Some(text.as_str()));
            prop_assert_eq!(shapes.find_name(text), Some(name));
            prop_assert_eq!(shapes.intern(text), name);
        }
    }
}

/// An object with inline values has room for as many as the model of CPython 3.13 predicts.
#[test]
fn dicts_have_the_room_that_the_model_predicts() {
    let object = model::ClassLayout::object("3.13".parse::<model::Target>().unwrap()).unwrap();
    for n in [0, 1, 3, 10, 28] {
        let class = model::Class::new(&model::ClassLayout::new("C", &[&object]).unwrap());
        let mut shapes = Shapes::new();
        let names = intern(&mut shapes, n);
        let mut keys = SharedKeys::new();
        for i in 1..=45 {
            let (mut predicted, mut real) = (class.instance(), Dict::<usize>::new(&mut keys));
            for (i, &name) in names.iter().enumerate() {
                predicted.set(&format!("a{i}")).unwrap();
                real.set(name, i, &mut keys).unwrap();
            }
            // Headers of 48 bytes; a word, the values, and their order in bytes: `values_size_from_count`.
            let capacity = real.shared_capacity().unwrap() as u64;
            let bytes = 48 + (capacity + 1) * 8 + capacity.next_multiple_of(8);
            assert_eq!(predicted.footprint().requested_bytes(), bytes, "instance {i} of {n} attributes");
        }
    }
}

/// The first object itself takes one of the 30 places.
#[test]
fn the_30th_name_ends_the_sharing() {
    let mut shapes = Shapes::new();
    let names = intern(&mut shapes, MAX_SHARED + 1);
    let mut keys = SharedKeys::new();
    let mut first = Dict::new(&mut keys);
    let mut cache = InlineCache::new();
    for (i, &name) in names.iter().enumerate() {
        assert_eq!(first.is_shared(), i < MAX_SHARED, "before name {i}");
        first.set(name, i, &mut keys).unwrap();
        assert_eq!(first.get_cached(&mut cache, names[0], &keys), Ok(&0));
    }
    assert!(!first.is_shared() && keys.names().len() == MAX_SHARED - 1);
    assert!(first.iter(&keys).map(|(name, _)| name).eq(names.iter().copied()));
    let second = Dict::<u8>::new(&mut keys);
    assert!(second.is_shared(), "the class goes on");
}

#[test]
fn foreign_shapes_and_keys_are_refused() {
    let (mut shapes, mut others) = (Shapes::new(), Shapes::new());
    let (name, same) = (shapes.intern("name"), others.intern("name"));
    assert_eq!(name, same, "names are numbers");
    let (class, other) = (shapes.class(&[name]).unwrap(), others.class(&[name]).unwrap());
    assert_eq!(others.add(class, name), Err(ShapeError::Foreign));
    assert_eq!(others.lookup(class, name), None);
    let mut object = Slots::new(class);
    assert_eq!(object.set(name, 1, &others), Err(AttributeError::Absent { name }));
    assert_eq!(object.set(name, 1, &shapes), Ok(None));
    assert!(object.is_of(class) && !object.is_of(other));
    let mut cache = InlineCache::new();
    assert_eq!(object.get_cached(&mut cache, name, &shapes), Ok(&1));
    let stranger: Slots<i32> = Slots::new(other);
    assert_eq!(stranger.get_cached(&mut cache, name, &others), Err(AttributeError::Unset { name }));
    assert_eq!(
        AttributeError::Unset { name }.message("User", &shapes),
        "'User' object has no attribute 'name'"
    );
}

#[test]
fn classes_of_the_largest_size() {
    let mut shapes = Shapes::new();
    let names = intern(&mut shapes, 65_536);
    assert_eq!(shapes.class(&names), Err(ShapeError::Full));
    let class = shapes.class(&names[..65_535]).unwrap();
    let mut object = Slots::with_values(class, 0..65_535u32);
    assert_eq!(object.get(names[65_534], &shapes), Ok(&65_534));
    assert_eq!(object.delete(names[17], &shapes), Ok(17));
    assert_eq!(object.iter(&shapes).count(), 65_534);
    assert_eq!(shapes.class(&[names[0], names[0]]), Err(ShapeError::Twice { name: names[0] }));
}

#[test]
fn values_of_any_size_and_alignment() {
    #[derive(Debug, PartialEq, Clone, Copy)]
    #[repr(align(64))]
    struct Wide(u8);

    fn check<V: PartialEq + std::fmt::Debug + Copy>(value: V) {
        let mut shapes = Shapes::new();
        let names = intern(&mut shapes, 20);
        let class = shapes.class(&names).unwrap();
        let mut keys = SharedKeys::new();
        let (mut slots, mut dict) = (Slots::new(class), Dict::new(&mut keys));
        for &name in &names {
            assert_eq!(slots.set(name, value, &shapes), Ok(None));
            assert_eq!(dict.set(name, value, &mut keys), Ok(None));
        }
        for &name in &names {
            assert_eq!(slots.get(name, &shapes), Ok(&value));
            assert_eq!(dict.delete(name, &keys), Ok(value));
        }
        assert!(dict.is_empty());
    }
    check(());
    check(1u8);
    check([7u16; 3]);
    check(Wide(9));
}

#[test]
fn objects_are_a_pointer_each() {
    assert_eq!(size_of::<Slots<String>>(), 8);
    assert_eq!(size_of::<Dict<String>>(), 8);
    let mut shapes = Shapes::new();
    let names = intern(&mut shapes, 3);
    let class = shapes.class(&names).unwrap();
    assert_eq!(Slots::<u64>::new(class).footprint().bytes, 8 + 3 * 8);
}

#[test]
fn objects_cross_threads_with_their_values() {
    fn check<T: Send + Sync>() {}
    check::<Slots<String>>();
    check::<Dict<String>>();
}

#[test]
fn a_lack_of_memory_is_told() {
    let shapes = Shapes::new();
    assert!(Slots::<u8, Empty>::try_new_in(shapes.root(), Empty).is_err());
    assert!(Dict::<u8, Empty>::try_new_in(&mut SharedKeys::new(), Empty).is_err());
}
