//! Classes and their instances against a plain model of Python's rules, with warm caches at every state.
#![allow(clippy::cloned_ref_to_slice_refs, reason = "lists of bases read alike whatever their length")]

mod changes;
#[path = "../common/mod.rs"]
mod common;
mod events;
mod plain;
mod value;

use std::rc::Rc;

use cpymem_slots::model;
use cpymem_slots::object::{
    Attribute, AttributeError, Caches, Class, ClassError, Counted, Descriptor, InlineCache, Instance, Loaded,
    Name, Shapes,
};
use value::{Answer, C, O, TestClass, Value, answer};

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
