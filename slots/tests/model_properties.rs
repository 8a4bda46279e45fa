//! The model never panics, whatever classes, names and events it is given.

use cpymem_slots::model::standard::{self, Standard};
use cpymem_slots::model::value::{self, Text};
use cpymem_slots::model::{
    Builtin, Class, ClassLayout, ClassSpec, Dataclass, Footprint, Instance, InstanceError, LayoutError,
    SlotItem, SlotsValue, Target, advise, container,
};
use proptest::collection::vec;
use proptest::prelude::*;

fn target(minor: u8) -> Target {
    format!("3.{minor}").parse().unwrap()
}

fn object(minor: u8) -> ClassLayout {
    ClassLayout::object(target(minor)).unwrap()
}

/// Every version and build that the model knows, the later patch levels of 3.13 among them.
fn any_target() -> impl Strategy<Value = Target> {
    let later = ["3.13.15", "3.13.15t", "3.13.15-i386"].map(|label| label.parse().unwrap());
    prop::sample::select(Target::known().chain(later).collect::<Vec<Target>>())
}

/// A class statement: bases by number (built-in ones first), slots or fields if any, and whether a dataclass has
/// `slots` and `weakref_slot`.
type Statement = (Vec<usize>, Option<Vec<String>>, Option<(bool, bool)>);

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
    let dataclass = prop::option::weighted(0.2, any::<(bool, bool)>());
    (vec(0..16usize, 0..4), prop::option::of(vec(slot(), 0..5)), dataclass)
}

#[derive(Clone, Debug)]
enum Event {
    Set(String),
    SetItem(String),
    SetOther,
    Get(String),
    Delete(String),
    Touch,
    Vars,
    Clear,
    Update(Vec<String>),
    Replace(Vec<String>),
    ReplaceWithCopy,
    Copy,
    Pickle,
    SetClass(usize),
    Weakref,
    Renew(u32),
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[a-z]", 4 => "[a-d][0-9]", 1 => Just("count".to_owned()), 1 => any::<String>()]
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => name().prop_map(Event::Set),
        2 => name().prop_map(Event::SetItem),
        1 => Just(Event::SetOther),
        1 => name().prop_map(Event::Get),
        3 => name().prop_map(Event::Delete),
        1 => Just(Event::Touch),
        1 => Just(Event::Vars),
        1 => Just(Event::Clear),
        1 => vec(name(), 0..60).prop_map(Event::Update),
        1 => vec(name(), 0..60).prop_map(Event::Replace),
        1 => Just(Event::ReplaceWithCopy),
        1 => Just(Event::Copy),
        1 => Just(Event::Pickle),
        1 => any::<usize>().prop_map(Event::SetClass),
        1 => Just(Event::Weakref),
        2 => any::<u32>().prop_map(Event::Renew),
    ]
}

/// Lets an event happen; `before` is the instance that was there before the last was made.
fn apply<'c>(
    instance: &mut Instance<'c>,
    before: &mut Instance<'c>,
    event: &Event,
    classes: &'c [Class],
) -> Result<(), InstanceError> {
    match event {
        Event::Set(name) => instance.set(name),
        Event::SetItem(name) => instance.set_item(name),
        Event::SetOther => instance.set_other_key(),
        Event::Get(name) => instance.get(name),
        Event::Delete(name) => instance.delete(name),
        Event::Touch => instance.touch_dict(),
        Event::Vars => instance.vars(),
        Event::Clear => instance.clear_dict(),
        Event::Update(names) => instance.update_dict(names),
        Event::Replace(names) => instance.replace_dict(names),
        Event::ReplaceWithCopy => instance.replace_dict_with_copy_of(before),
        Event::Copy => instance.copy().map(|copy| *before = std::mem::replace(instance, copy)),
        Event::Pickle => instance.pickle().map(|copy| *before = std::mem::replace(instance, copy)),
        Event::SetClass(number) => instance.set_class(&classes[number % classes.len()]),
        Event::Weakref => instance.weakref(),
        Event::Renew(items) => {
            let renewed = instance.class().instance_with_items(*items);
            *before = std::mem::replace(instance, renewed);
            Ok(())
        }
    }
}

fn check_equations(it: &Footprint) {
    let requested: u64 = it.requests().iter().map(|(size, count)| size * count).sum();
    let blocks: u64 = it.blocks().iter().map(|(size, count)| size * count).sum();
    assert_eq!((requested, blocks), (it.requested_bytes(), it.pymalloc_bytes()));
    assert_eq!(it.heap_bytes(), blocks + it.libc_bytes());
    assert!(it.heap_bytes() >= requested && it.getsizeof() > 0);
}

/// The classes of some statements, made one after the other over the built-in ones.
fn hierarchy(target: Target, statements: &[Statement]) -> Vec<ClassLayout> {
    let mut classes: Vec<ClassLayout> =
        Builtin::ALL.iter().map(|&it| ClassLayout::builtin(it, target).unwrap()).collect();
    for (number, (bases, slots, dataclass)) in statements.iter().enumerate() {
        let bases: Vec<&ClassLayout> = bases.iter().map(|&base| &classes[base % classes.len()]).collect();
        let name = format!("C{number}");
        let listed: Vec<SlotItem<'_>> = slots.iter().flatten().map(|name| SlotItem::Name(name)).collect();
        let fields: Vec<&str> = slots.iter().flatten().map(String::as_str).collect();
        let made = match (slots, dataclass) {
            (_, Some((slots, weakref_slot))) => {
                let (slots, weakref_slot) = (*slots, *weakref_slot);
                let plain =
                    Dataclass { name: &name, fields: &fields, slots, weakref_slot, ..Default::default() };
                plain.layout(&bases)
            }
            (None, None) => ClassLayout::new(&name, &bases),
            (Some(_), None) if number % 4 == 3 => {
                ClassLayout::with_slots_value(&name, &bases, SlotsValue::Iterator(&listed), &["x"])
            }
            (Some(slots), None) => ClassLayout::with_slots(&name, &bases, slots),
        };
        match made {
            Ok(class) => {
                let wider = bases.iter().map(|base| base.basicsize()).max().unwrap();
                assert!(class.basicsize() >= wider);
                classes.push(class);
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    classes
}

proptest! {
    #[test]
    fn hierarchies_and_events(
        target in any_target(),
        statements in vec(statement(), 1..9),
        events in vec(event(), 0..80),
    ) {
        let classes: Vec<Class> = hierarchy(target, &statements).iter().map(Class::new).collect();
        for class in &classes {
            let (mut before, mut instance) = (class.instance(), class.instance());
            for event in &events {
                if let Err(error) = apply(&mut instance, &mut before, event, &classes) {
                    prop_assert!(!error.to_string().is_empty());
                }
                check_equations(&instance.footprint());
                check_equations(&before.footprint());
            }
            let again = instance.footprint();
            prop_assert_eq!(instance.footprint(), again);
        }
    }

    /// Attributes that are set on a warm class never make an instance smaller. The documented cliffs lead upwards.
    #[test]
    fn a_footprint_grows_with_its_attributes(target in any_target(), n in 0..200usize, more in 1..50usize) {
        let names = |n: usize| (0..n).map(|i| format!("a{i:03}"));
        let plain = ClassLayout::new("C", &[&ClassLayout::object(target).unwrap()]).unwrap();
        let bytes = |n| plain.steady(names(n)).unwrap().heap_bytes();
        prop_assert!(bytes(n) <= bytes(n + more), "{target}: {n} {} and {} {}", bytes(n), n + more, bytes(n + more));
        let slots: Vec<String> = names(n).collect();
        let slotted = |n: usize| {
            ClassLayout::with_slots("C", &[&ClassLayout::object(target).unwrap()], &slots[..n]).unwrap().steady([""; 0]).unwrap().heap_bytes()
        };
        prop_assert!(slotted(n) <= bytes(n));
        prop_assert!(n == 0 || slotted(n - 1) <= slotted(n));
    }

    /// So do instances of which one had the attributes deleted, looked at, copied.
    #[test]
    fn touched_instances_grow_too(target in any_target(), n in 0..100usize) {
        let plain = ClassLayout::new("C", &[&ClassLayout::object(target).unwrap()]).unwrap();
        let bytes = |n: usize| {
            let class = Class::new(&plain);
            let names: Vec<String> = (0..n).map(|i| format!("a{i:03}")).collect();
            class.steady(&names).unwrap();
            let mut it = class.instance();
            names.iter().for_each(|name| it.set(name).unwrap());
            let set = it.footprint().heap_bytes();
            it.touch_dict().unwrap();
            let touched = it.footprint().heap_bytes();
            assert!(set <= touched, "{target} {n}");
            touched
        };
        prop_assert!(bytes(n) <= bytes(n + 1));
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
    fn containers_of_any_length(target in any_target(), n in any::<u32>(), bits in any::<u32>()) {
        use cpymem_slots::model::Keys;
        let word = if target.build.arch == cpymem_slots::model::Arch::X86_64 { 8 } else { 4 };
        for footprint in [
            container::tuple(target, n),
            container::list_display(target, n),
            container::list_appended(target, n),
            container::list_copied(target, n),
            container::dict(target, n, Keys::Strings),
            container::dict(target, n, Keys::Any),
            container::dict_copy(target, n, Keys::Any),
            container::dict_display(target, n, Keys::Strings),
            container::dict_from_pairs(target, n),
            container::set(target, n),
            container::frozenset(target, n),
            container::simple_namespace(target, n),
            standard::cost(target, Standard::Deque(n)),
        ] {
            prop_assert!(footprint.unwrap().requested_bytes() >= word * u64::from(n));
        }
        for text in [Text::Ascii, Text::Latin1, Text::Ucs2, Text::Ucs4] {
            prop_assert!(value::text(target, text, n).unwrap().getsizeof() >= u64::from(n));
        }
        prop_assert!(value::int_of_bits(target, bits).unwrap().getsizeof() >= u64::from(bits) / 8);
        prop_assert!(value::bytes(target, n).unwrap().getsizeof() >= u64::from(n));
    }

    /// Whatever stands in `__slots__`, the answer is a layout or CPython's error.
    #[test]
    fn any_slots(target in any_target(), names in vec(any::<String>(), 0..4), surrogate in any::<u16>(), text in any::<String>()) {
        let object = ClassLayout::object(target).unwrap();
        let unicode: Vec<SlotItem<'_>> = names.iter().map(|name| SlotItem::Unicode(name)).collect();
        let mixed = [SlotItem::Name(&text), SlotItem::LoneSurrogate(surrogate), SlotItem::Other(&text)];
        for slots in [
            SlotsValue::Items(&unicode),
            SlotsValue::Items(&mixed),
            SlotsValue::Text(&text),
            SlotsValue::Bytes(&text),
            SlotsValue::NotIterable(&text),
        ] {
            let body: Vec<&str> = names.iter().map(String::as_str).collect();
            if let Err(error) = ClassLayout::with_slots_value(&text, &[&object], slots, &body) {
                prop_assert!(error.in_class_statement(target).contains("Error: "), "{}", error);
            }
        }
    }

    /// Advice comes for any class, and never for free.
    #[test]
    fn any_advice(target in any_target(), attributes in vec("[a-z]{1,3}", 0..70), count in any::<u64>(), flags in any::<[bool; 5]>()) {
        let spec = ClassSpec {
            name: "C".to_owned(),
            assigned: attributes.iter().take(40).cloned().collect(),
            body: attributes.iter().skip(3).take(2).cloned().collect(),
            cached_properties: if flags[0] { vec!["p".to_owned()] } else { Vec::new() },
            several_bases: flags[1],
            unknown_base: flags[2],
            uses_dict: flags[3],
            mutable: flags[4],
            slots: attributes.iter().take(2).chain(attributes.last()).cloned().collect(),
            inherited_slots: attributes.iter().take(1).cloned().collect(),
            optional: attributes.iter().skip(2).cloned().collect(),
            attributes,
        };
        let advice = advise(&spec, count, target).unwrap();
        prop_assert!(advice.remedies.iter().all(|it| it.bytes > 0 || spec.attributes.is_empty()));
        prop_assert!(advice.cliffs.iter().all(|it| it.bytes > 0 && !it.reason.is_empty()));
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

/// Footprints of warm instances by the number of attributes, for every build and every kind of class: they never fall.
#[test]
fn every_step_leads_upwards() {
    const MOST: usize = 130;
    let names: Vec<String> = (0..MOST).map(|i| format!("a{i:03}")).collect();
    for target in Target::known() {
        let base = |builtin| ClassLayout::builtin(builtin, target).unwrap();
        let beside = ClassLayout::with_slots("S", &[&base(Builtin::Object)], &["s", "__dict__"]).unwrap();
        let plain = Builtin::ALL.map(|it| ClassLayout::new("C", &[&base(it)]).unwrap());
        for layout in plain.iter().chain([&beside]) {
            for assigned in [&names[..0], &names[..]] {
                let bytes = |n: usize| {
                    let class = Class::with_static_attributes(layout, &assigned[..n.min(assigned.len())]);
                    class.steady(&names[..n]).unwrap().heap_bytes()
                };
                let mut last = bytes(0);
                for n in 1..MOST {
                    let next = bytes(n);
                    assert!(
                        next >= last,
                        "{target} {}: {n} attributes take {next}, not {last}",
                        layout.root().name()
                    );
                    last = next;
                }
            }
            // More instances never cost less.
            let mut last = 0;
            for count in 0..100 {
                let next = Class::new(layout).population(&names[..3], count).unwrap().heap_bytes;
                assert!(next >= last, "{target} {count}");
                last = next;
            }
        }
    }
}
