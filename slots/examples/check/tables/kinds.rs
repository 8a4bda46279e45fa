//! The kinds of objects that were measured, told to the model.

use std::cell::Cell;

use cpymem_slots::model::{Builtin, Class, ClassLayout, Footprint, Instance, Keys, Target, container};

use super::shuffle;

/// A class and the life of an instance of it.
pub(super) struct Kind {
    pub(super) class: Class,
    pub(super) live: Box<dyn Fn(&Class) -> Instance<'_>>,
}

/// The attribute names of an object of `n` attributes.
pub(super) fn names(n: u32) -> Vec<String> {
    (0..n).map(|i| format!("a{i}")).collect()
}

/// An instance whose attributes were set in this order.
fn filled<'c>(class: &'c Class, order: &[String]) -> Option<Instance<'c>> {
    let mut instance = class.instance();
    order.iter().try_for_each(|name| instance.set(name)).ok()?;
    Some(instance)
}

fn derived(builtin: Builtin, target: Target) -> Option<ClassLayout> {
    ClassLayout::new("C", &[&ClassLayout::builtin(builtin, target).ok()?]).ok()
}

fn slotted(builtin: Builtin, target: Target, slots: &[String]) -> Option<ClassLayout> {
    ClassLayout::with_slots("C", &[&ClassLayout::builtin(builtin, target).ok()?], slots).ok()
}

/// Containers of `n` elements.
pub(super) fn container(kind: &str, n: u32, target: Target) -> Option<Footprint> {
    let footprint = match kind {
        "tuple" => container::tuple(target, n),
        "list" => container::list_display(target, n),
        "list_app" => container::list_appended(target, n),
        "dict_grow" => container::dict(target, n, Keys::Strings),
        "dict_lit" => container::dict_display(target, n, Keys::Strings),
        "dict_copy" => container::dict_copy(target, n, Keys::Strings),
        "dict_int" => container::dict(target, n, Keys::Any),
        "simplens" => container::simple_namespace(target, n),
        _ => return None,
    };
    footprint.ok()
}

impl Kind {
    /// `None` if the kind or the target is not known.
    pub(super) fn new(kind: &str, n: u32, target: Target) -> Option<Kind> {
        let all = names(n);
        let with = |extra: &[&str]| -> Vec<String> {
            all.iter().cloned().chain(extra.iter().map(|name| name.to_string())).collect()
        };
        let object = Builtin::Object;
        let layout = match kind {
            "dict" | "dict_shuf" | "dict_vars" | "dict_del" | "dict_inter" | "dict_upd" | "dict_kw"
            | "dc" | "dc_frozen" => derived(object, target)?,
            "slots" | "dc_slots" | "dc_frozen_slots" => slotted(object, target, &all)?,
            "slots_wr" | "dc_slots_wr" => slotted(object, target, &with(&["__weakref__"]))?,
            "slots_dict" | "slots_dict1" => slotted(object, target, &with(&["__dict__"]))?,
            "slots_dict_wr" => slotted(object, target, &with(&["__dict__", "__weakref__"]))?,
            "slots_inh" => {
                let (first, second) = all.split_at(all.len() / 2);
                ClassLayout::with_slots("C", &[&slotted(object, target, first)?], second).ok()?
            }
            "slots_sub" | "slots_sub1" => ClassLayout::new("C", &[&slotted(object, target, &all)?]).ok()?,
            "namedtuple" | "tuplesub_slots" => slotted(Builtin::Tuple, target, &[])?,
            "exc" => derived(Builtin::Exception, target)?,
            "intsub" => derived(Builtin::Int, target)?,
            "listsub" => derived(Builtin::List, target)?,
            "dictsub" => derived(Builtin::Dict, target)?,
            "listsub_slots" => slotted(Builtin::List, target, &all)?,
            _ => return None,
        };
        let class = match kind {
            // Their attributes are assigned elsewhere than in methods of the class itself.
            "dict_shuf" | "dict_upd" | "dc" | "dc_frozen" => Class::new(&layout),
            "dict_kw" => Class::with_static_attributes(&layout, &["__dict__"]),
            _ => Class::with_static_attributes(&layout, &all),
        };
        // The instances made first were kept alive; forgotten here, they share their names for good.
        match kind {
            "dict_inter" => fill_in_turns(&class, &all),
            "dict_shuf" => std::mem::forget(filled(&class, &all)),
            _ => {}
        }
        Some(Kind { class, live: life(kind, n, all) })
    }
}

/// Two instances gain their attributes in turns before any other is made.
fn fill_in_turns(class: &Class, names: &[String]) {
    let (mut one, mut other) = (class.instance(), class.instance());
    for name in names {
        one.set(name).expect("a class with a dict takes every name");
        other.set(name).expect("a class with a dict takes every name");
    }
    std::mem::forget((one, other));
}

/// What an instance of the kind goes through.
fn life(kind: &str, n: u32, names: Vec<String>) -> Box<dyn Fn(&Class) -> Instance<'_>> {
    const SETS: &str = "the class takes the name";
    match kind {
        "namedtuple" | "tuplesub_slots" => Box::new(move |class| class.instance_with_items(n)),
        "slots_dict1" | "slots_sub1" => Box::new(|class| {
            let mut instance = class.instance();
            instance.set("zz").expect(SETS);
            instance
        }),
        "slots_dict" | "slots_dict_wr" | "slots_sub" => Box::new(|class| class.instance()),
        "dict_shuf" => {
            let (orders, turn) = (shuffle::orders(&names), Cell::new(0));
            Box::new(move |class| {
                turn.set((turn.get() + 1) % orders.len());
                filled(class, &orders[turn.get()]).expect(SETS)
            })
        }
        "dict_upd" => Box::new(move |class| {
            let mut instance = class.instance();
            instance.update_dict(&names).expect(SETS);
            instance
        }),
        "dict_kw" => Box::new(move |class| {
            let mut instance = class.instance();
            instance.replace_dict(&names).expect(SETS);
            instance
        }),
        _ => {
            let (touches, deletes) = (kind == "dict_vars", kind == "dict_del" && n > 0);
            Box::new(move |class| {
                let mut instance = filled(class, &names).expect(SETS);
                if touches {
                    instance.touch_dict().expect(SETS);
                }
                if deletes {
                    instance.delete("a0").expect(SETS);
                }
                instance
            })
        }
    }
}
