//! The model never panics, whatever classes, names and events it is given.

use cpymem_slots::model::{
    Builtin, Class, ClassLayout, Footprint, Instance, InstanceError, LayoutError, Target, container,
};
use proptest::collection::vec;
use proptest::prelude::*;

fn target(minor: u8) -> Target {
    format!("3.{minor}").parse().unwrap()
}

fn object(minor: u8) -> ClassLayout {
    ClassLayout::object(target(minor)).unwrap()
}

/// A class statement: bases by number (built-in ones first), slots if any.
type Statement = (Vec<usize>, Option<Vec<String>>);

fn slot() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[a-e]",
        1 => Just("__dict__".to_owned()),
        1 => Just("__weakref__".to_owned()),
        1 => "_{0,3}[a-z]{0,3}_{0,2}",
        1 => any::<String>(),
    ]
}

fn statement() -> impl Strategy<Value = Statement> {
    (vec(0..12usize, 0..4), prop::option::of(vec(slot(), 0..5)))
}

#[derive(Clone, Debug)]
enum Event {
    Set(String),
    Delete(String),
    Touch,
    Update(Vec<String>),
    Replace(Vec<String>),
    Renew,
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[a-z]", 4 => "[a-d][0-9]", 1 => any::<String>()]
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => name().prop_map(Event::Set),
        3 => name().prop_map(Event::Delete),
        1 => Just(Event::Touch),
        1 => vec(name(), 0..60).prop_map(Event::Update),
        1 => vec(name(), 0..60).prop_map(Event::Replace),
        2 => Just(Event::Renew),
    ]
}

fn apply(instance: &mut Instance<'_>, event: &Event) -> Result<(), InstanceError> {
    match event {
        Event::Set(name) => instance.set(name),
        Event::Delete(name) => instance.delete(name),
        Event::Touch => instance.touch_dict(),
        Event::Update(names) => instance.update_dict(names),
        Event::Replace(names) => instance.replace_dict(names),
        Event::Renew => Ok(()),
    }
}

fn check_equations(it: &Footprint) {
    let requested: u64 = it.requests().iter().map(|(size, count)| size * count).sum();
    let blocks: u64 = it.blocks().iter().map(|(size, count)| size * count).sum();
    assert_eq!((requested, blocks), (it.requested_bytes(), it.pymalloc_bytes()));
    assert_eq!(it.heap_bytes(), blocks + it.libc_bytes());
    assert!(it.heap_bytes() >= requested && it.getsizeof() > 0);
}

proptest! {
    #[test]
    fn hierarchies_and_events(
        minor in 11..14u8,
        statements in vec(statement(), 1..9),
        events in vec(event(), 0..80),
    ) {
        let mut classes: Vec<ClassLayout> =
            Builtin::ALL.iter().map(|&it| ClassLayout::builtin(it, target(minor)).unwrap()).collect();
        for (number, (bases, slots)) in statements.iter().enumerate() {
            let bases: Vec<&ClassLayout> = bases.iter().map(|&base| &classes[base % classes.len()]).collect();
            let name = format!("C{number}");
            let made = match slots {
                None => ClassLayout::new(&name, &bases),
                Some(slots) => ClassLayout::with_slots(&name, &bases, slots),
            };
            match made {
                Ok(class) => {
                    let wider = bases.iter().map(|base| base.basicsize()).max().unwrap();
                    prop_assert!(class.basicsize() >= wider);
                    classes.push(class);
                }
                Err(error) => prop_assert!(!error.to_string().is_empty()),
            }
        }
        for layout in &classes {
            let class = Class::new(layout);
            let mut instance = class.instance();
            for event in &events {
                if let Event::Renew = event {
                    instance = class.instance();
                } else if let Err(error) = apply(&mut instance, event) {
                    prop_assert!(!error.to_string().is_empty());
                }
                check_equations(&instance.footprint());
            }
            let again = instance.footprint();
            prop_assert_eq!(instance.footprint(), again);
        }
    }

    /// Attributes set on a warm class never make an instance smaller.
    #[test]
    fn a_footprint_grows_with_its_attributes(minor in 11..14u8, n in 0..200usize, more in 1..50usize) {
        let names = |n: usize| (0..n).map(|i| format!("a{i}"));
        let plain = ClassLayout::new("C", &[&object(minor)]).unwrap();
        let bytes = |n| plain.steady(names(n)).unwrap().heap_bytes();
        // Only the step over the limit of shared keys gives something back: the values.
        prop_assert!(bytes(n) <= bytes(n + more));
        let slots: Vec<String> = names(n).collect();
        let slotted = ClassLayout::with_slots("C", &[&object(minor)], &slots).unwrap();
        prop_assert!(slotted.steady(names(n)).unwrap().heap_bytes() <= bytes(n));
    }

    #[test]
    fn texts_of_targets(text in any::<String>(), numbers in "[0-9]{0,4}\\.[0-9]{0,4}(\\.[0-9]{0,4})?t?(-i386)?") {
        for text in [text, numbers] {
            if let Ok(target) = text.parse::<Target>() {
                let _ = ClassLayout::object(target).map_err(|error| error.to_string());
            }
        }
    }

    #[test]
    fn containers_of_any_length(minor in 11..14u8, n in any::<u32>()) {
        use cpymem_slots::model::Keys;
        for footprint in [
            container::tuple(target(minor), n),
            container::list_display(target(minor), n),
            container::list_appended(target(minor), n),
            container::dict(target(minor), n, Keys::Strings),
            container::dict(target(minor), n, Keys::Any),
            container::simple_namespace(target(minor), n),
        ] {
            prop_assert!(footprint.unwrap().requested_bytes() >= 8 * u64::from(n));
        }
    }
}

#[test]
fn a_hundred_thousand_attributes() {
    let names: Vec<String> = (0..100_000).map(|i| format!("a{i:06}")).collect();
    for minor in 11..14 {
        let slotted = ClassLayout::with_slots("C", &[&object(minor)], &names).unwrap();
        assert_eq!(slotted.basicsize(), 16 + 8 * 100_000);
        assert_eq!(slotted.slot("a099999"), Some(16 + 8 * 99_999));
        let plain = ClassLayout::new("C", &[&object(minor)]).unwrap();
        assert!(plain.steady(&names[..20_000]).unwrap().libc_bytes() > 20_000 * 16);
    }
}

#[test]
fn a_name_of_a_megabyte() {
    let name = "a".repeat(1 << 20);
    let class = ClassLayout::with_slots(&name, &[&object(13)], &[&name]).unwrap();
    assert_eq!(class.slot(&name), Some(16));
    let error = Class::new(&class).instance().set("b").unwrap_err();
    assert!(error.to_string().len() > 1 << 20);
    let plain = ClassLayout::new(&name, &[&object(13)]).unwrap();
    assert_eq!(plain.steady([&name]).unwrap().requests(), [(80, 1)]);
}

/// A chain of classes takes time linear in its length, to make and to drop, on a small stack.
#[test]
fn a_hundred_thousand_generations() {
    let work = || {
        let mut class = object(13);
        for _ in 0..100_000 {
            class = ClassLayout::with_slots("C", &[&class], &["a"]).unwrap();
        }
        assert_eq!(class.basicsize(), 16 + 8 * 100_000);
        assert_eq!(class.slot("a"), Some(16 + 8 * 99_999));
        assert_eq!(class.slot("b"), None);
        let mixin = ClassLayout::with_slots::<&str>("M", &[&object(13)], &[]).unwrap();
        let both = ClassLayout::new("D", &[&class, &mixin]).unwrap();
        assert!(both.has_dict() && both.shares_keys());
        let conflict = ClassLayout::with_slots("E", &[&object(13)], &["e"]).unwrap();
        let error = ClassLayout::new("F", &[&both, &conflict]).unwrap_err();
        assert_eq!(error, LayoutError::LayoutConflict);
    };
    std::thread::Builder::new().stack_size(128 << 10).spawn(work).unwrap().join().unwrap();
}

#[test]
fn errors_are_those_of_cpython() {
    let plain = ClassLayout::new("X", &[&object(13)]).unwrap();
    let derived = ClassLayout::new("Y", &[&plain]).unwrap();
    let text = |result: Result<ClassLayout, LayoutError>| result.unwrap_err().to_string();
    assert_eq!(
        text(ClassLayout::new("C", &[&plain, &derived])),
        "TypeError: Cannot create a consistent method resolution order (MRO) for bases X, Y"
    );
    assert_eq!(text(ClassLayout::new("C", &[&plain, &plain])), "TypeError: duplicate base class X");
    let int = ClassLayout::builtin(Builtin::Int, target(13)).unwrap();
    assert_eq!(
        text(ClassLayout::with_slots("C", &[&int], &["a"])),
        "TypeError: nonempty __slots__ not supported for subtype of 'int'"
    );
    let listed_twice = ["__dict__", "__dict__"];
    assert_eq!(
        text(ClassLayout::with_slots("C", &[&object(13)], &listed_twice)),
        "TypeError: __dict__ slot disallowed: we already got one"
    );
    for (minor, words) in
        [(11, "either we already got one, or __itemsize__ != 0"), (12, "we already got one")]
    {
        let base = ClassLayout::new("B", &[&object(minor)]).unwrap();
        let error = text(ClassLayout::with_slots("C", &[&base], &["__weakref__"]));
        assert_eq!(error, format!("TypeError: __weakref__ slot disallowed: {words}"));
    }
    assert!(matches!(ClassLayout::new("C", &[]), Err(LayoutError::Unsupported { .. })));
    assert!(matches!(ClassLayout::new("C", &[&plain, &object(12)]), Err(LayoutError::Unsupported { .. })));

    for (minor, hint) in [(12, ""), (13, " and no __dict__ for setting new attributes")] {
        let class = Class::new(&ClassLayout::with_slots("A", &[&object(minor)], &["a"]).unwrap());
        let mut it = class.instance();
        let error = it.set("b").unwrap_err().to_string();
        assert_eq!(error, format!("AttributeError: 'A' object has no attribute 'b'{hint}"));
        assert_eq!(it.delete("a").unwrap_err().to_string(), "AttributeError: a");
        assert!(it.set("a").is_ok() && it.delete("a").is_ok() && it.delete("a").is_err());
        let error = it.touch_dict().unwrap_err().to_string();
        assert_eq!(error, "AttributeError: 'A' object has no attribute '__dict__'");
        assert!(matches!(it.set("__doc__"), Err(InstanceError::Unsupported { .. })));
    }
}

/// The costs that surprise: numbers measured on interpreters, told in `tests/data`.
#[test]
fn known_surprises() {
    let names = |n: usize| (0..n).map(|i| format!("a{i}")).collect::<Vec<_>>();
    let heap = |minor, n| {
        let plain = ClassLayout::new("C", &[&object(minor)]).unwrap();
        plain.steady(names(n)).unwrap().heap_bytes()
    };
    // The 30th attribute ends the sharing of keys.
    assert_eq!(
        [11, 12, 13].map(|minor| (heap(minor, 29), heap(minor, 30))),
        [(336, 1664), (320, 1648), (320, 1920)]
    );
    // A __weakref__ slot costs 16 bytes since 3.12, and nothing beside a managed dict.
    let slotted = |minor, slots: &[&str]| {
        ClassLayout::with_slots("C", &[&object(minor)], slots)
            .unwrap()
            .steady([""; 0])
            .unwrap()
            .requested_bytes()
    };
    assert_eq!([11, 12].map(|minor| slotted(minor, &["a", "__weakref__"]) - slotted(minor, &["a"])), [8, 16]);
    assert_eq!(slotted(12, &["a", "__dict__", "__weakref__"]), slotted(12, &["a", "__dict__"]));
    // A slot listed twice is wasted.
    assert_eq!(slotted(13, &["a", "a"]) - slotted(13, &["a"]), 8);
    // On 3.13 an attribute beside slots moves into a dict with room for 30 values.
    let beside = |minor| {
        let class = ClassLayout::with_slots("C", &[&object(minor)], &["a", "b", "c", "__dict__"]).unwrap();
        class.steady(["d"]).unwrap().heap_bytes()
    };
    assert_eq!([12, 13].map(beside), [112, 432]);
    assert_eq!(beside(13) - slotted(13, &["a", "b", "c", "__dict__"]).next_multiple_of(16), 352);
}
