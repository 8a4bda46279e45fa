//! By which attribute an instance refers to what: names of the referents of instances without a dict.
//!
//! Such an instance visits its slots, those of the most derived class first and those of one class in alphabetical
//! order (`type_new_slots` sorts them), then its attributes in the order of the class's shared keys, then its type.
//! Only those that are set are visited, and a dump does not tell which; so names are known where all are set.

use std::collections::{HashMap, HashSet};

use super::dump::Dump;
use super::header::Type;
use super::objects::Flags;

/// Bases of a class at most.
const LONGEST_ORDER: usize = 128;
/// References of a type that are looked at: it has fewer than ten of its own.
const MOST_REFERENTS: usize = 16;
/// Slots and bases that are looked at in all; more are in no program.
const MOST_WORK: u64 = 20_000_000;

/// Names of the referents of complete instances, by type.
#[derive(Clone, Debug, Default)]
pub struct AttributeNames {
    by_type: Vec<Vec<Option<String>>>,
}

impl AttributeNames {
    /// Those that a dump tells.
    pub fn of(dump: &Dump) -> AttributeNames {
        let rows = TypeRows::of(dump);
        let last = dump.types().map(|class| class.id as usize + 1).max().unwrap_or(0);
        let mut by_type = vec![Vec::new(); last];
        let mut slots = Slots { dump, rows: &rows, own: HashMap::new(), work: 0 };
        for class in dump.types().filter(|class| class.heap) {
            let order = dump.attributes(class.id).map_or(&[][..], |attributes| &attributes.order);
            let slots = if class.slots.is_empty() { Some(Vec::new()) } else { slots.of(class) };
            if let Some(slots) = slots {
                by_type[class.id as usize] =
                    slots.into_iter().map(Some).chain(order.iter().cloned()).collect();
            }
        }
        AttributeNames { by_type }
    }

    /// The names of a type's referents where all are set; none if they are not known.
    pub fn of_type(&self, class: u32) -> &[Option<String>] {
        self.by_type.get(class as usize).map_or(&[], |names| names)
    }

    /// The names of an instance's first referents; none if some are unset.
    pub fn of_instance(&self, dump: &Dump, id: u32) -> &[Option<String>] {
        let names = dump.type_id(id).map_or(&[][..], |class| self.of_type(class));
        // The type is the one that is left.
        let complete = !names.is_empty() && dump.referents(id).len() == names.len() + 1;
        if complete { names } else { &[] }
    }
}

/// The objects that are types, by their names.
#[derive(Debug)]
pub(super) struct TypeRows<'d> {
    rows: HashMap<&'d str, Vec<u32>>,
}

impl<'d> TypeRows<'d> {
    pub(super) fn of(dump: &'d Dump) -> TypeRows<'d> {
        let mut rows: HashMap<&str, Vec<u32>> = HashMap::new();
        for id in dump.ids().filter(|&id| dump.is_object(id) && dump.flags(id).has(Flags::TYPE)) {
            if let Some(label) = dump.label(id) {
                rows.entry(label).or_default().push(id);
            }
        }
        TypeRows { rows }
    }

    /// All types of a name: one, unless the same statement made several.
    pub(super) fn named(&self, name: &str) -> &[u32] {
        self.rows.get(name).map_or(&[], |rows| rows)
    }
}

/// A type and its bases in the order of its `__mro__`: the tuple that it refers to and that refers to it. A tuple
/// visits its items from the last to the first.
pub(super) fn resolution_order(dump: &Dump, row: u32) -> impl Iterator<Item = u32> {
    let is_order = |&&to: &&u32| {
        let referents = dump.referents(to);
        referents.len() <= LONGEST_ORDER && dump.type_name(to) == "builtins.tuple" && referents.contains(&row)
    };
    let order = of_type(dump, row).iter().find(is_order).map_or(&[][..], |&tuple| dump.referents(tuple));
    let alone = order.is_empty().then_some(row);
    order.iter().rev().copied().chain(alone)
}

/// The dict of a type whose keys are named.
pub(super) fn dict_of_type(dump: &Dump, row: u32) -> Option<u32> {
    of_type(dump, row).iter().find(|&&to| dump.names.is_named(to)).copied()
}

/// What a type itself refers to: its dict, cache, order, bases and module.
fn of_type(dump: &Dump, row: u32) -> &[u32] {
    let referents = dump.referents(row);
    &referents[..referents.len().min(MOST_REFERENTS)]
}

/// Looks for the slots of classes.
struct Slots<'d> {
    dump: &'d Dump,
    rows: &'d TypeRows<'d>,
    /// The names of the member descriptors in the dicts of types.
    own: HashMap<u32, HashSet<&'d str>>,
    work: u64,
}

impl Slots<'_> {
    /// The slots of a class in the order in which its instances visit them; none if they are not all found.
    fn of(&mut self, class: &Type) -> Option<Vec<String>> {
        let mut all = Vec::new();
        let mut found = HashSet::new();
        for base in resolution_order(self.dump, *self.rows.named(&class.name).first()?) {
            self.work += 1 + class.slots.len() as u64;
            if self.work > MOST_WORK {
                return None;
            }
            let about = self.dump.label(base).unwrap_or_default();
            let own = self.own(base);
            if own.is_empty() {
                continue;
            }
            let mangled = class.slots.iter().map(|slot| mangled(about, slot));
            let mut here: Vec<String> = mangled.filter(|slot| own.contains(slot.as_str())).collect();
            here.sort_unstable();
            here.dedup();
            here.retain(|slot| found.insert(slot.clone()));
            all.extend(here);
        }
        (all.len() == class.slots.len()).then_some(all)
    }

    /// The slots that a class itself adds: a slot is a member descriptor; a method of its name is not.
    fn own(&mut self, row: u32) -> &HashSet<&str> {
        let dump = self.dump;
        self.own.entry(row).or_insert_with(|| {
            let Some(dict) = dict_of_type(dump, row) else { return HashSet::new() };
            let keys = dump.names.keys(dict).into_iter().flatten().zip(dump.referents(dict));
            let descriptor = |&(_, &to): &(_, &u32)| dump.type_name(to) == "builtins.member_descriptor";
            keys.filter(descriptor).filter_map(|(name, _)| Some(dump.names.symbols().name(name?))).collect()
        })
    }
}

/// A name as a class keeps it: `__name` in class `C` is `_C__name`.
fn mangled(class: &str, name: &str) -> String {
    let class = class.rsplit('.').next().unwrap_or(class).trim_start_matches('_');
    let private = name.starts_with("__") && !name.ends_with("__") && !class.is_empty();
    if private { format!("_{class}{name}") } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_names_carry_their_class() {
        assert_eq!(mangled("app._Node", "__next"), "_Node__next");
        assert_eq!(mangled("app.Node", "next"), "next");
        assert_eq!(mangled("app.Node", "__next__"), "__next__");
        assert_eq!(mangled("app.__", "__next"), "__next");
    }
}
