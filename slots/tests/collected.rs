//! Cycles through instances, dicts, slots and classes are collected, and only they.

use std::cell::RefCell;

use cpymem_cyclegc::{Collector, Gc, Trace, Weak};
use cpymem_slots::object::{
    Attribute, Caches, Class, Collected, CompactDict, Descriptor, Dict, InlineCache, Instance, Loaded, Name,
    Shapes, SharedKeys, Slots,
};

type Object = Instance<Value, Collected>;
type TestClass = Class<Value, Collected>;

/// A reference to anything.
#[derive(Clone, Trace)]
enum Value {
    Number(u32),
    Object(Gc<RefCell<Object>>),
    Class(Gc<TestClass>),
    Mapping(Gc<RefCell<CompactDict<Name, Value>>>),
    Slots(Gc<RefCell<Slots<Value>>>),
    Dict(Gc<RefCell<Dict<Value>>>),
}

impl Attribute for Value {
    fn descriptor(&self) -> Descriptor {
        Descriptor::None
    }
}

fn class(collector: &Collector, name: &str, bases: &[Gc<TestClass>]) -> Gc<TestClass> {
    TestClass::make(name, bases, &[], true, |class| collector.alloc(class)).unwrap()
}

#[test]
fn a_cycle_through_an_instance_a_dict_and_a_class_is_collected() {
    let collector = Collector::new();
    let mut shapes = Shapes::new();
    let x = shapes.intern("x");
    let class = class(&collector, "C", &[]);
    let object = collector.alloc(RefCell::new(Object::new(&class)));
    let mapping = collector.alloc(RefCell::new(CompactDict::new()));
    // class -> dict -> instance -> class
    class.set(x, Value::Mapping(mapping.clone()));
    mapping.borrow_mut().insert(x, Value::Object(object.clone()));
    object.borrow_mut().set(shapes.intern("number"), Value::Number(7)).ok().unwrap();
    let weak = Gc::downgrade(&class);
    drop((mapping, object));
    assert_eq!(collector.collect(), 0, "the class is held");
    let Some(Value::Mapping(mapping)) = class.get(x) else { panic!("the class has its attribute") };
    assert_eq!(mapping.borrow().len(), 1);
    drop(mapping);
    drop(class);
    assert!(weak.upgrade().is_some());
    assert_eq!(collector.collect(), 3);
    assert!(weak.upgrade().is_none());
    assert_eq!(collector.objects(), 0);
}

/// All places where an instance can keep a value, each closing a cycle of its own.
#[test]
fn every_place_for_a_value_is_traced() {
    for place in 0..6 {
        let collector = Collector::new();
        let mut shapes = Shapes::new();
        let x = shapes.intern("x");
        let base = TestClass::make("S", &[], &[x], false, |class| collector.alloc(class)).unwrap();
        let mut keys = SharedKeys::new();
        let shape = shapes.class(&[x]).unwrap();
        let expected = match place {
            // A slot; an inline value; a table.
            0..3 => {
                let class = if place == 0 { base.clone() } else { class(&collector, "C", &[]) };
                let object = collector.alloc(RefCell::new(Object::new(&class)));
                let itself = Value::Object(object.clone());
                if place == 2 {
                    let table = CompactDict::from_iter([(x, itself)]);
                    assert!(object.borrow_mut().replace_dict(table).is_ok());
                } else {
                    object.borrow_mut().set(x, itself).ok().unwrap();
                }
                1 + usize::from(place != 0) // and the class, which only its instance holds
            }
            3 => {
                let slots = collector.alloc(RefCell::new(Slots::new(shape)));
                slots.borrow_mut().set(x, Value::Slots(slots.clone()), &shapes).ok().unwrap();
                1
            }
            4 => {
                let dict = collector.alloc(RefCell::new(Dict::new(&mut keys)));
                dict.borrow_mut().set(x, Value::Dict(dict.clone()), &mut keys).ok().unwrap();
                1
            }
            // A class that is derived from another which knows it.
            _ => {
                let (a, b) = (class(&collector, "A", &[]), shapes.intern("b"));
                let derived = class(&collector, "B", std::slice::from_ref(&a));
                a.set(b, Value::Class(derived));
                2
            }
        };
        assert_eq!(collector.collect(), expected, "place {place}");
        drop(base);
        collector.collect();
        assert_eq!(collector.objects(), 0, "place {place}");
    }
}

#[test]
fn a_subclass_that_dies_is_forgotten_and_invalidation_goes_on() {
    let collector = Collector::new();
    let mut shapes = Shapes::new();
    let x = shapes.intern("x");
    let base = class(&collector, "A", &[]);
    base.set(x, Value::Number(1));
    let derived = class(&collector, "B", std::slice::from_ref(&base));
    let dead: Weak<TestClass> = Gc::downgrade(&class(&collector, "D", std::slice::from_ref(&base)));
    collector.collect();
    assert!(dead.upgrade().is_none());
    let object = Object::new(&derived);
    let (mut site, mut caches) = (InlineCache::new(), Caches::new());
    for number in 1..5 {
        base.set(x, Value::Number(number));
        for _ in 0..2 {
            let read = object.get_cached(&mut site, &mut caches, x);
            assert!(matches!(read, Ok(Loaded::Shared(Value::Number(found))) if found == number));
        }
    }
    assert_eq!(base.subclasses().len(), 1);
}
