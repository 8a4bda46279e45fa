//! Classes and their instances against a plain model of Python's rules, with warm caches at every state.
#![allow(clippy::cloned_ref_to_slice_refs, reason = "lists of bases read alike whatever their length")]

mod common;

use std::cell::Cell;
use std::rc::Rc;

use common::Counting;
use cpymem_slots::model;
use cpymem_slots::object::{
    Attribute, AttributeError, CacheState, Caches, Class, ClassError, CompactDict, Counted, Descriptor,
    Footprint, InlineCache, Instance, Loaded, Name, Shapes, Stored,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// A value that knows its nature, which can be changed from outside.
#[derive(Clone, Debug)]
struct Value(Rc<(u32, Cell<Descriptor>)>);

impl Value {
    fn of(number: u32, nature: Descriptor) -> Value {
        Value(Rc::new((number, Cell::new(nature))))
    }

    fn plain(number: u32) -> Value {
        Value::of(number, Descriptor::None)
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Value) -> bool {
        self.0.0 == other.0.0
    }
}

impl Attribute for Value {
    fn descriptor(&self) -> Descriptor {
        self.0.1.get()
    }
}

type C = Class<Value>;
type O = Instance<Value>;
type TestClass = Rc<C>;
type Object = Instance<Value, Counted, Counting>;

/// What reading an attribute gives, in words.
#[derive(Clone, Debug, PartialEq)]
enum Answer {
    Own(u32),
    Shared(u32),
    Method(u32),
    Property(u32),
    Missing,
}

fn answer(loaded: Result<Loaded<'_, Value>, AttributeError>) -> Answer {
    match loaded {
        Ok(Loaded::Own(value)) => Answer::Own(value.0.0),
        Ok(Loaded::Shared(value)) => Answer::Shared(value.0.0),
        Ok(Loaded::Method(value)) => Answer::Method(value.0.0),
        Ok(Loaded::Property(value)) => Answer::Property(value.0.0),
        Err(_) => Answer::Missing,
    }
}

/// The slow and obvious classes and instances.
#[derive(Default)]
struct Plain {
    classes: Vec<PlainClass>,
    objects: Vec<PlainObject>,
}

#[derive(Clone)]
struct PlainClass {
    bases: Vec<usize>,
    attributes: Vec<(Name, PlainMember)>,
    has_dict: bool,
}

#[derive(Clone)]
enum PlainMember {
    Value(Value),
    Slot(usize),
}

struct PlainObject {
    class: usize,
    slots: Vec<Option<Value>>,
    dict: Vec<(Name, Value)>,
}

/// C3 as it is written in "The Python 2.3 Method Resolution Order".
fn mro(classes: &[PlainClass], class: usize) -> Option<Vec<usize>> {
    let bases = &classes[class].bases;
    let mut lists = bases.iter().map(|&base| mro(classes, base)).collect::<Option<Vec<_>>>()?;
    lists.push(bases.clone());
    let mut order = vec![class];
    loop {
        lists.retain(|list| !list.is_empty());
        if lists.is_empty() {
            return Some(order);
        }
        let head = lists
            .iter()
            .map(|list| list[0])
            .find(|head| !lists.iter().any(|list| list[1..].contains(head)))?;
        order.push(head);
        for list in &mut lists {
            if list[0] == head {
                list.remove(0);
            }
        }
    }
}

impl Plain {
    fn find(&self, class: usize, name: Name) -> Option<PlainMember> {
        mro(&self.classes, class).unwrap().into_iter().find_map(|class| {
            let attributes = &self.classes[class].attributes;
            attributes.iter().find(|(known, _)| *known == name).map(|(_, member)| member.clone())
        })
    }

    fn read(&self, object: usize, name: Name) -> Answer {
        let object = &self.objects[object];
        let member = self.find(object.class, name);
        let own =
            || object.dict.iter().find(|(known, _)| *known == name).map(|(_, value)| Answer::Own(value.0.0));
        match member {
            Some(PlainMember::Slot(slot)) => {
                object.slots[slot].as_ref().map_or(Answer::Missing, |value| Answer::Own(value.0.0))
            }
            Some(PlainMember::Value(value)) => match value.descriptor() {
                Descriptor::Data => Answer::Property(value.0.0),
                Descriptor::NonData => own().unwrap_or(Answer::Method(value.0.0)),
                Descriptor::None => own().unwrap_or(Answer::Shared(value.0.0)),
            },
            None => own().unwrap_or(Answer::Missing),
        }
    }

    /// Sets or deletes; whether something was set, deleted or called.
    fn write(&mut self, object: usize, name: Name, value: Option<Value>) -> bool {
        let member = self.find(self.objects[object].class, name);
        let has_dict = self.classes[self.objects[object].class].has_dict;
        let object = &mut self.objects[object];
        match member {
            Some(PlainMember::Slot(slot)) => {
                let deletes = value.is_none();
                let before = std::mem::replace(&mut object.slots[slot], value);
                !deletes || before.is_some()
            }
            Some(PlainMember::Value(known)) if known.descriptor() == Descriptor::Data => true,
            _ if !has_dict => false,
            _ => {
                let at = object.dict.iter().position(|(known, _)| *known == name);
                match (at, value) {
                    (Some(at), Some(value)) => object.dict[at].1 = value,
                    (None, Some(value)) => object.dict.push((name, value)),
                    (Some(at), None) => drop(object.dict.remove(at)),
                    (None, None) => return false,
                }
                true
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Event {
    Make(usize),
    Set(usize, usize),
    Delete(usize, usize),
    ClassSet(usize, usize, Descriptor),
    ClassDelete(usize, usize),
    Rebase(usize, Vec<usize>),
    Nature(usize, usize, Descriptor),
    SetClass(usize, usize),
    Clear(usize),
    Replace(usize, usize),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let nature = || prop_oneof![Just(Descriptor::None), Just(Descriptor::NonData), Just(Descriptor::Data)];
    let event = prop_oneof![
        6 => (0..9usize).prop_map(Event::Make),
        20 => (0..99usize, 0..12usize).prop_map(|(object, name)| Event::Set(object, name)),
        6 => (0..99usize, 0..12usize).prop_map(|(object, name)| Event::Delete(object, name)),
        6 => (0..9usize, 0..12usize, nature()).prop_map(|(class, name, nature)| Event::ClassSet(class, name, nature)),
        4 => (0..9usize, 0..12usize).prop_map(|(class, name)| Event::ClassDelete(class, name)),
        3 => (0..9usize, vec(0..9usize, 0..3)).prop_map(|(class, bases)| Event::Rebase(class, bases)),
        3 => (0..9usize, 0..12usize, nature()).prop_map(|(class, name, nature)| Event::Nature(class, name, nature)),
        3 => (0..99usize, 0..9usize).prop_map(|(object, class)| Event::SetClass(object, class)),
        1 => (0..99usize).prop_map(Event::Clear),
        1 => (0..99usize, 0..5usize).prop_map(|(object, names)| Event::Replace(object, names)),
    ];
    vec(event, 0..120)
}

/// Which class of the hierarchy has which bases, and slots of its own.
const HIERARCHY: [(&[usize], Option<&[usize]>); 9] = [
    (&[], None),              // 0
    (&[], Some(&[])),         // 1: nothing, no dict
    (&[1], Some(&[0, 1, 2])), // 2: slots
    (&[2], Some(&[3])),       // 3: more slots
    (&[0], None),             // 4
    (&[0], None),             // 5
    (&[4, 5], None),          // 6: a diamond
    (&[2], None),             // 7: slots and a dict
    (&[7, 4], None),          // 8: both
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn instances_answer_as_pythons_rules(events in events()) {
        let mut shapes = Shapes::new();
        let names: Vec<Name> = (0..12).map(|i| shapes.intern(&format!("a{i}"))).collect();
        let alloc = Counting::default();
        let mut plain = Plain::default();
        let mut classes: Vec<TestClass> = Vec::new();
        let mut slot_count: Vec<usize> = Vec::new();
        for (bases, slots) in HIERARCHY {
            let own: Vec<TestClass> = bases.iter().map(|&base| classes[base].clone()).collect();
            let name = format!("C{}", classes.len());
            let class = match slots {
                None => Class::new(&name, &own),
                Some(slots) => {
                    let slots: Vec<Name> = slots.iter().map(|&slot| names[slot]).collect();
                    Class::with_slots(&name, &own, &slots)
                }
            };
            classes.push(class.unwrap());
            let inherited = bases.iter().map(|&base| slot_count[base]).max().unwrap_or(0);
            let attributes = slots.unwrap_or(&[]).iter().zip(inherited..);
            let attributes = attributes.map(|(&name, slot)| (names[name], PlainMember::Slot(slot))).collect();
            slot_count.push(inherited + slots.map_or(0, <[usize]>::len));
            let has_dict = slots.is_none() || bases.iter().any(|&base| plain.classes[base].has_dict);
            plain.classes.push(PlainClass { bases: bases.to_vec(), attributes, has_dict });
        }

        let mut caches = Caches::new();
        let mut objects: Vec<Object> = Vec::new();
        // One site for each name that all objects pass, one for each object and name.
        let mut shared_reads = vec![InlineCache::new(); names.len()];
        let mut own_reads: Vec<Vec<InlineCache>> = Vec::new();
        let mut writes = vec![InlineCache::new(); names.len()];
        for (time, event) in events.into_iter().enumerate() {
            let time = time as u32;
            match event {
                Event::Make(class) => {
                    objects.push(Instance::new_in(&classes[class], alloc.clone()));
                    own_reads.push(vec![InlineCache::new(); names.len()]);
                    let slots = vec![None; slot_count[class]];
                    plain.objects.push(PlainObject { class, slots, dict: Vec::new() });
                }
                Event::Set(object, name) if !objects.is_empty() => {
                    let object = object % objects.len();
                    let done = if time.is_multiple_of(3) {
                        objects[object].set(names[name], Value::plain(time))
                    } else {
                        objects[object].set_cached(&mut writes[name], &mut caches, names[name], Value::plain(time))
                    };
                    prop_assert_eq!(done.is_ok(), plain.write(object, names[name], Some(Value::plain(time))));
                }
                Event::Delete(object, name) if !objects.is_empty() => {
                    let object = object % objects.len();
                    let done = objects[object].delete(names[name]).is_ok();
                    prop_assert_eq!(done, plain.write(object, names[name], None));
                }
                Event::ClassSet(class, name, nature) => {
                    classes[class].set(names[name], Value::of(time, nature));
                    let attributes = &mut plain.classes[class].attributes;
                    let member = PlainMember::Value(Value::of(time, nature));
                    match attributes.iter_mut().find(|(known, _)| *known == names[name]) {
                        Some((_, known)) => *known = member,
                        None => attributes.push((names[name], member)),
                    }
                }
                Event::ClassDelete(class, name) => {
                    let attributes = &mut plain.classes[class].attributes;
                    let before = attributes.len();
                    attributes.retain(|(known, _)| *known != names[name]);
                    prop_assert_eq!(classes[class].delete(names[name]), attributes.len() < before);
                }
                Event::Rebase(class, bases) => {
                    let new: Vec<TestClass> = bases.iter().map(|&base| classes[base].clone()).collect();
                    if C::set_bases(&classes[class], &new).is_ok() {
                        plain.classes[class].bases = bases;
                    }
                }
                Event::Nature(class, name, nature) => {
                    if let Some(value) = classes[class].get(names[name]) {
                        value.0.1.set(nature);
                        classes.iter().for_each(|class| class.modified());
                        for (_, member) in plain.classes.iter_mut().flat_map(|class| &mut class.attributes) {
                            if let PlainMember::Value(known) = member && *known == value {
                                known.0.1.set(nature);
                            }
                        }
                    }
                }
                Event::SetClass(object, class) if !objects.is_empty() => {
                    let object = object % objects.len();
                    if objects[object].set_class(&classes[class]).is_ok() {
                        prop_assert_eq!(slot_count[class], plain.objects[object].slots.len());
                        plain.objects[object].class = class;
                        prop_assert!(!objects[object].is_inline());
                    }
                }
                Event::Clear(object) if !objects.is_empty() => {
                    let object = object % objects.len();
                    objects[object].clear_dict();
                    plain.objects[object].dict.clear();
                }
                Event::Replace(object, count) if !objects.is_empty() => {
                    let object = object % objects.len();
                    let mut dict = CompactDict::new_in(alloc.clone());
                    names[..count].iter().for_each(|&name| drop(dict.insert(name, Value::plain(time))));
                    if objects[object].replace_dict(dict).is_ok() {
                        let pairs = names[..count].iter().map(|&name| (name, Value::plain(time)));
                        plain.objects[object].dict = pairs.collect();
                    }
                }
                _ => {}
            }
            for (i, object) in objects.iter().enumerate() {
                for (j, &name) in names.iter().enumerate() {
                    let expected = plain.read(i, name);
                    prop_assert_eq!(&answer(object.get(name)), &expected, "uncached");
                    for (site, which) in [(&mut shared_reads[j], "shared"), (&mut own_reads[i][j], "own")] {
                        let got = answer(object.get_cached(site, &mut caches, name));
                        prop_assert_eq!(&got, &expected, "{:?} cache, {}", site.state(), which);
                    }
                }
                let dict = plain.objects[i].dict.iter().map(|(name, value)| (*name, value));
                prop_assert!(object.iter().eq(dict), "order");
                prop_assert_eq!(object.dict_len(), plain.objects[i].dict.len());
            }
            let held = objects.iter().map(Instance::footprint);
            let held = held.fold(Footprint::default(), |sum, it| Footprint {
                allocations: sum.allocations + it.allocations,
                bytes: sum.bytes + it.bytes,
            });
            prop_assert_eq!(alloc.held(), held);
        }
        drop(objects);
        prop_assert_eq!(alloc.held(), Footprint::default());
    }
}

/// Every kind of change, after a cache is warm, at every state of the cache.
#[test]
fn every_change_is_seen_by_the_next_read() {
    type Change = fn(&mut World);
    struct World {
        x: Name,
        base: TestClass,
        other: TestClass,
        class: TestClass,
        property: Value,
        object: Instance<Value>,
    }
    let plain = |number| Value::plain(number);
    let changes: [(&str, Change, Answer); 17] = [
        ("set on the class", |w| drop(w.class.set(w.x, Value::plain(2))), Answer::Shared(2)),
        (
            "function on the class",
            |w| drop(w.class.set(w.x, Value::of(2, Descriptor::NonData))),
            Answer::Method(2),
        ),
        (
            "property on the class",
            |w| drop(w.class.set(w.x, Value::of(2, Descriptor::Data))),
            Answer::Property(2),
        ),
        ("set on the base", |w| drop(w.base.set(w.x, Value::plain(3))), Answer::Shared(3)),
        ("deleted from the base", |w| assert!(w.base.delete(w.x)), Answer::Missing),
        ("own value", |w| drop(w.object.set(w.x, Value::plain(4)).unwrap()), Answer::Own(4)),
        (
            "own value, deleted",
            |w| {
                w.object.set(w.x, Value::plain(4)).unwrap();
                assert_eq!(w.object.delete(w.x), Ok(Stored::Done(Some(Value::plain(4)))));
            },
            Answer::Shared(1),
        ),
        (
            "own value hidden by a property",
            |w| {
                w.object.set(w.x, Value::plain(4)).unwrap();
                w.base.set(w.x, Value::of(5, Descriptor::Data));
            },
            Answer::Property(5),
        ),
        (
            "descriptor gets a setter",
            |w| {
                w.object.set(w.x, Value::plain(4)).unwrap();
                w.base.set(w.x, w.property.clone());
                w.property.0.1.set(Descriptor::Data);
                w.base.modified();
            },
            Answer::Property(6),
        ),
        ("another base", |w| C::set_bases(&w.class, &[w.other.clone()]).unwrap(), Answer::Shared(7)),
        (
            "another base in front",
            |w| C::set_bases(&w.class, &[w.other.clone(), w.base.clone()]).unwrap(),
            Answer::Shared(7),
        ),
        ("no base", |w| C::set_bases(&w.class, &[]).unwrap(), Answer::Missing),
        (
            "base gets a base",
            |w| {
                w.base.delete(w.x);
                C::set_bases(&w.base, &[w.other.clone()]).unwrap();
            },
            Answer::Shared(7),
        ),
        ("another class", |w| w.object.set_class(&w.other).unwrap(), Answer::Shared(7)),
        (
            "dict replaced",
            |w| {
                let dict = CompactDict::from_iter([(w.x, Value::plain(8))]);
                assert!(w.object.replace_dict(dict).is_ok());
            },
            Answer::Own(8),
        ),
        (
            "dictionary mode, set there",
            |w| {
                w.object.set_class(&w.base).unwrap();
                w.object.set_class(&w.class).unwrap();
                w.object.set(w.x, Value::plain(9)).unwrap();
            },
            Answer::Own(9),
        ),
        (
            "dict cleared",
            |w| {
                w.object.set(w.x, Value::plain(4)).unwrap();
                w.object.clear_dict();
            },
            Answer::Shared(1),
        ),
    ];
    let states = [
        CacheState::Uninitialised,
        CacheState::Monomorphic,
        CacheState::Polymorphic,
        CacheState::Megamorphic,
    ];
    for (what, change, after) in &changes {
        for state in states {
            for read_own_before in [false, true] {
                let mut shapes = Shapes::new();
                let x = shapes.intern("x");
                let base: TestClass = Class::new("Base", &[]).unwrap();
                let other: TestClass = Class::new("Other", &[]).unwrap();
                base.set(x, plain(1));
                other.set(x, plain(7));
                let class = Class::new("C", std::slice::from_ref(&base)).unwrap();
                let mut caches = Caches::new();
                let mut site = InlineCache::new();
                let others = match state {
                    CacheState::Uninitialised | CacheState::Monomorphic => 0,
                    CacheState::Polymorphic => 3,
                    CacheState::Megamorphic => 6,
                };
                let object = Instance::new(&class);
                let mut world =
                    World { x, base, other, class, property: Value::of(6, Descriptor::NonData), object };
                if read_own_before {
                    // The name is one that instances share, some of them set.
                    let mut sibling: Instance<Value> = Instance::new(&world.class);
                    sibling.set(x, plain(10)).unwrap();
                }
                if state != CacheState::Uninitialised {
                    for _ in 0..3 {
                        let read = world.object.get_cached(&mut site, &mut caches, x);
                        assert_eq!(answer(read), Answer::Shared(1));
                    }
                }
                for i in 0..others {
                    let stranger: TestClass = Class::new("S", &[]).unwrap();
                    stranger.set(x, plain(100 + i));
                    let read = O::new(&stranger);
                    assert_eq!(answer(read.get_cached(&mut site, &mut caches, x)), Answer::Shared(100 + i));
                }
                for _ in 0..2 {
                    if state != CacheState::Uninitialised {
                        world.object.get_cached(&mut site, &mut caches, x).unwrap();
                    }
                }
                if !read_own_before {
                    assert_eq!(site.state(), state, "{what}");
                }
                change(&mut world);
                for _ in 0..3 {
                    let read = world.object.get_cached(&mut site, &mut caches, x);
                    assert_eq!(&answer(read), after, "{what}, {state:?}, {read_own_before}");
                }
            }
        }
    }
}

#[test]
fn slots_are_data_descriptors() {
    let mut shapes = Shapes::new();
    let (x, y) = (shapes.intern("x"), shapes.intern("y"));
    let class: TestClass = Class::with_slots("P", &[], &[x, y]).unwrap();
    let (mut site, mut caches, mut write) = (InlineCache::new(), Caches::new(), InlineCache::new());
    let mut point: Instance<Value> = Instance::new(&class);
    assert_eq!(point.get(x), Err(AttributeError::Unset { name: x }));
    for i in 0..3 {
        point.set_cached(&mut write, &mut caches, x, Value::plain(i)).unwrap();
        assert_eq!(answer(point.get_cached(&mut site, &mut caches, x)), Answer::Own(i));
    }
    assert_eq!(point.footprint().bytes, 16 + 2 * 8);
    let z = shapes.intern("z");
    assert_eq!(point.set(z, Value::plain(1)), Err(AttributeError::Absent { name: z }));
    class.set(z, Value::plain(5));
    assert_eq!(point.set(z, Value::plain(1)), Err(AttributeError::ReadOnly { name: z }));
    assert_eq!(
        AttributeError::ReadOnly { name: z }.message("P", &shapes),
        "'P' object attribute 'z' is read-only"
    );
    // The slot goes, and its values are out of reach until it is back.
    class.delete(x);
    assert_eq!(answer(point.get_cached(&mut site, &mut caches, x)), Answer::Missing);
    class.set(x, Value::plain(6));
    assert_eq!(answer(point.get_cached(&mut site, &mut caches, x)), Answer::Shared(6));
}

#[test]
fn bases_that_do_not_fit_are_told() {
    let mut shapes = Shapes::new();
    let (x, y) = (shapes.intern("x"), shapes.intern("y"));
    let make = |name: &str, bases: &[TestClass], slots: &[Name]| Class::with_slots(name, bases, slots);
    let a: TestClass = make("A", &[], &[x]).unwrap();
    let b = make("B", &[], &[y]).unwrap();
    assert_eq!(make("C", &[a.clone(), b.clone()], &[]).unwrap_err(), ClassError::LayoutConflict);
    assert_eq!(
        make("C", &[a.clone(), a.clone()], &[]).unwrap_err(),
        ClassError::DuplicateBase { name: "A".into() }
    );
    assert_eq!(make("C", &[a.clone()], &[x]).unwrap_err(), ClassError::SlotTwice { name: x });
    let derived = make("D", &[a.clone()], &[]).unwrap();
    let error = make("C", &[a.clone(), derived.clone()], &[]).unwrap_err();
    assert_eq!(error.to_string(), "Cannot create a consistent method resolution order (MRO) for bases A, D");
    assert_eq!(C::set_bases(&a, &[derived.clone()]), Err(ClassError::Cycle));
    assert_eq!(C::set_bases(&derived, &[b]), Err(ClassError::LayoutDiffers));
    let mut object: Instance<Value> = Instance::new(&a);
    let plain: TestClass = Class::new("E", &[]).unwrap();
    assert_eq!(object.set_class(&plain), Err(ClassError::LayoutDiffers));
    assert!(object.set_class(&derived).is_ok());
    assert_eq!(a.subclasses().len(), 1);
    drop((object, derived));
    assert_eq!(a.subclasses().len(), 0);
}

/// A class that changes all the time is not cached any more, and answers right.
#[test]
fn versions_are_not_used_up_by_one_class() {
    let mut shapes = Shapes::new();
    let x = shapes.intern("x");
    let class: TestClass = Class::new("C", &[]).unwrap();
    let object: Instance<Value> = Instance::new(&class);
    let (mut site, mut caches) = (InlineCache::new(), Caches::new());
    for i in 0..3000 {
        class.set(x, Value::plain(i));
        assert_eq!(answer(object.get_cached(&mut site, &mut caches, x)), Answer::Shared(i));
    }
}

/// The part of an instance behind its head has the bytes that the model of CPython 3.13 has behind its own.
#[test]
fn instances_are_as_large_as_the_model_predicts() {
    let object = model::ClassLayout::object("3.13".parse::<model::Target>().unwrap()).unwrap();
    // Pre-header, GC header and PyObject; here the class and a table. The counts are part of the values.
    let (their_head, own_head) = (48, 16);
    for n in [0, 1, 3, 10, 28, 29, 30, 31, 40, 100] {
        let predicted = model::Class::new(&model::ClassLayout::new("C", &[&object]).unwrap());
        let class: TestClass = Class::new("C", &[]).unwrap();
        let mut shapes = Shapes::new();
        for i in 1..=45 {
            let mut theirs = predicted.instance();
            let mut own: Instance<Value> = Instance::new(&class);
            for i in 0..n {
                let name = format!("a{i}");
                theirs.set(&name).unwrap();
                own.set(shapes.intern(&name), Value::plain(1)).unwrap();
            }
            let expected = theirs.footprint().requested_bytes() - their_head + own_head;
            // Their dict object is a request of its own; here it is the pointer to the table.
            let dict_object = if own.is_inline() { 0 } else { 64 };
            assert_eq!(
                own.footprint().bytes as u64,
                expected - dict_object,
                "instance {i} of {n} attributes"
            );
        }
    }
    let slotted = model::ClassLayout::with_slots("C", &[&object], &["a", "b", "c"]).unwrap();
    let mut shapes = Shapes::new();
    let names = ["a", "b", "c"].map(|name| shapes.intern(name));
    let class: TestClass = Class::with_slots("C", &[], &names).unwrap();
    let theirs = slotted.steady(["a", "b", "c"]).unwrap().requested_bytes();
    // Slots need no pre-header there, and no table here.
    assert_eq!(O::new(&class).footprint().bytes as u64, theirs - 32 + 16);
}

#[test]
fn values_of_any_size_and_alignment() {
    #[derive(Clone, Debug, PartialEq)]
    #[repr(align(64))]
    struct Wide(u8);
    impl Attribute for Wide {
        fn descriptor(&self) -> Descriptor {
            Descriptor::None
        }
    }
    let mut shapes = Shapes::new();
    let names: Vec<Name> = (0..40).map(|i| shapes.intern(&format!("a{i}"))).collect();
    let class: Rc<Class<Wide>> = Class::<Wide, Counted>::make("C", &[], &names[..5], true, Rc::new).unwrap();
    let mut object: Instance<Wide> = Instance::new(&class);
    for (i, &name) in names.iter().enumerate() {
        object.set(name, Wide(i as u8)).unwrap();
    }
    for (i, &name) in names.iter().enumerate() {
        assert_eq!(object.get(name), Ok(Loaded::Own(&Wide(i as u8))));
    }
    assert!(!object.is_inline() && object.dict_len() == 35);
    assert!(Instance::<Wide, Counted, common::Empty>::try_new_in(&class, common::Empty).is_err());
}
