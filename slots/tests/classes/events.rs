//! Random events on a hierarchy of classes, against the plain ones.

use cpymem_slots::object::{
    Caches, Class, CompactDict, Counted, Descriptor, Footprint, InlineCache, Instance, Name, Shapes,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::common::Counting;
use crate::plain::{Plain, PlainClass, PlainMember, PlainObject};
use crate::value::{C, TestClass, Value, answer};

type Object = Instance<Value, Counted, Counting>;

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
                        value.become_a(nature);
                        classes.iter().for_each(|class| class.modified());
                        for (_, member) in plain.classes.iter_mut().flat_map(|class| &mut class.attributes) {
                            if let PlainMember::Value(known) = member && *known == value {
                                known.become_a(nature);
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
