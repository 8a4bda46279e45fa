//! What a warm cache must notice.

use cpymem_slots::object::{
    CacheState, Caches, Class, CompactDict, Descriptor, InlineCache, Instance, Name, Shapes, Stored,
};

use crate::value::{Answer, C, O, TestClass, Value, answer};

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
                w.property.become_a(Descriptor::Data);
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
