//! Type creation, in the steps of `type_new` (`Objects/typeobject.c`).

use std::sync::Arc;

use super::abi::{Abi, InlineRule, Sharing, WeakrefHome};
use super::builtin::Builtin;
use super::layout::{ClassLayout, Node};
use super::layout_error::LayoutError;
use super::mro;
use super::slot_names::{Room, SlotNames};
use super::slots_value::SlotsValue;
use super::solid::best_base;
use super::target::Target;

/// Makes a class; `slots` is `None` where the class body has no `__slots__`; `body` are the
/// other names it defines.
pub(crate) fn class(
    name: &str,
    bases: &[&ClassLayout],
    slots: Option<SlotsValue<'_>>,
    body: &[&str],
) -> Result<Arc<Node>, LayoutError> {
    let bases: Vec<&Arc<Node>> = bases.iter().map(|base| &base.node).collect();
    check_bases(&bases)?;
    let base = best_base(&bases)?;
    let wishes = wishes(name, base, &bases, slots, body)?;
    let ancestors = mro::ancestors(&bases)?;
    let mut node = lay_out(name, base, wishes, ancestors);
    node.declares_slots = slots.is_some();
    node.exhausted_slots = matches!(slots, Some(SlotsValue::Iterator(_)));
    Ok(Arc::new(node))
}

/// What the new class adds to its base.
struct Wishes {
    slots: Vec<Arc<str>>,
    dict: bool,
    weakref: bool,
    /// `__weakref__` stands in `__slots__`.
    lists_weakref: bool,
}

fn check_bases(bases: &[&Arc<Node>]) -> Result<(), LayoutError> {
    let [first, rest @ ..] = bases else {
        return Err(LayoutError::Unsupported { what: "a class without bases: name object as its base" });
    };
    if rest.iter().any(|base| base.target != first.target) {
        return Err(LayoutError::Unsupported { what: "bases of different targets" });
    }
    Ok(())
}

/// What `__slots__` asks for, or its absence (`type_new_slots`).
fn wishes(
    name: &str,
    base: &Node,
    bases: &[&Arc<Node>],
    slots: Option<SlotsValue<'_>>,
    body: &[&str],
) -> Result<Wishes, LayoutError> {
    let abi = base.abi;
    let weakref_fits = base.itemsize == 0 || (abi.slots_after_items && slots.is_some());
    let room = Room { dict: base.dictoffset == 0, weakref: base.weakrefoffset == 0 && weakref_fits };
    let Some(written) = slots else {
        let Room { dict, weakref } = room;
        return Ok(Wishes { slots: Vec::new(), dict, weakref, lists_weakref: false });
    };
    let listed = written
        .items(abi.bytes_are_text)
        .map_err(|kind| LayoutError::NotIterable { kind: kind.to_owned() })?;
    if !listed.is_empty() && base.itemsize != 0 && !abi.slots_after_items {
        return Err(LayoutError::NonemptySlots { base: base.name.to_string() });
    }
    let SlotNames { named, mut dict, mut weakref } = SlotNames::read(name, &listed, room, body, abi)?;
    let lists_weakref = weakref;
    if !named.is_empty() && base.itemsize != 0 && base.root != Builtin::Tuple {
        return Err(LayoutError::ArbitrarySlots { base: base.name.to_string() });
    }
    // A secondary base that has them turns them on, too (`type_new_slots_bases`).
    for other in bases.iter().filter(|other| !other.is(base)) {
        dict |= room.dict && other.dictoffset != 0;
        weakref |= room.weakref && other.weakrefoffset != 0;
    }
    Ok(Wishes { slots: named, dict, weakref, lists_weakref })
}

/// Slots first, then the words for `__dict__` and `__weakref__` where the version keeps them in the
/// instance (`type_new_descriptors`).
fn lay_out(name: &str, base: &Arc<Node>, wishes: Wishes, ancestors: Option<Box<[Arc<Node>]>>) -> Node {
    let abi = base.abi;
    let mut end = base.basicsize;
    let mut word = || {
        let offset = end;
        end += abi.word;
        offset
    };
    let slots = wishes.slots.into_iter().map(|name| (name, word())).collect();

    let (mut dictoffset, mut weakrefoffset) = (base.dictoffset, base.weakrefoffset);
    let manages = wishes.dict && abi.manages_dict && (base.itemsize == 0 || abi.manages_variable);
    if wishes.dict && !manages {
        let offset = word() as i64;
        // Behind items it is counted from their end.
        dictoffset = if base.itemsize == 0 { offset } else { -(abi.word as i64) };
    }
    if wishes.weakref {
        weakrefoffset = match abi.weakref {
            WeakrefHome::Word => word() as i64,
            WeakrefHome::PreHeader => -((abi.pre_header() + abi.gc_head) as i64),
        };
    }
    if manages {
        dictoffset = if abi.dictoffset_is_minus_one { -1 } else { -((end + abi.gc_head + abi.word) as i64) };
    }

    let mut node = Node {
        name: name.into(),
        target: base.target,
        abi,
        root: base.root,
        heap: true,
        basicsize: end,
        itemsize: base.itemsize,
        dictoffset,
        weakrefoffset,
        gc: base.gc
            || abi.always_collectable
            || end > base.basicsize
            // Measured: 2.7 does so for what derives from other built-in classes than object.
            || (abi.int_is_fixed && base.root != Builtin::Object),
        managed_dict: base.managed_dict || manages,
        pre_header: base.pre_header || manages || (wishes.weakref && abi.weakref == WeakrefHome::PreHeader),
        slots,
        base: Some(base.clone()),
        solid: None,
        solid_depth: 0,
        ancestors,
        declares_slots: false,
        exhausted_slots: false,
        lists_weakref: wishes.lists_weakref,
    };
    super::solid::place(&mut node);
    node
}

/// A built-in class (the static types of `Objects/`).
pub(crate) fn builtin(builtin: Builtin, target: Target, abi: &'static Abi) -> Arc<Node> {
    let (basicsize, itemsize) = match builtin {
        Builtin::Object => (abi.object, 0),
        Builtin::List => (abi.list, 0),
        Builtin::Dict => (abi.dict, 0),
        Builtin::Int if abi.int_is_fixed => (abi.object + abi.word, 0),
        Builtin::Int => (abi.var_object, abi.int_digit),
        Builtin::Tuple => (abi.tuple, abi.word),
        Builtin::Str => (abi.string, u64::from(abi.string_has_items)),
        Builtin::Exception => (abi.exception, 0),
        Builtin::Float => (abi.object + 8, 0),
        Builtin::Bytes => (abi.bytes, 1),
        Builtin::Set | Builtin::FrozenSet => (abi.set(), 0),
    };
    let collectable = matches!(
        builtin,
        Builtin::List
            | Builtin::Dict
            | Builtin::Tuple
            | Builtin::Exception
            | Builtin::Set
            | Builtin::FrozenSet
    );
    let base = (builtin != Builtin::Object).then(|| self::builtin(Builtin::Object, target, abi));
    let mut node = Node {
        name: if builtin == Builtin::Bytes && abi.bytes_are_text { "str" } else { builtin.name() }.into(),
        target,
        abi,
        root: builtin,
        heap: false,
        basicsize,
        itemsize,
        // An exception keeps its dict in a C field right behind the object header.
        dictoffset: if builtin == Builtin::Exception { abi.object as i64 } else { 0 },
        // A set has the list of its weak references at its end.
        weakrefoffset: match builtin {
            Builtin::Set | Builtin::FrozenSet => (basicsize - abi.word) as i64,
            _ => 0,
        },
        gc: collectable,
        managed_dict: false,
        pre_header: false,
        slots: Box::default(),
        base,
        solid: None,
        solid_depth: 0,
        ancestors: None,
        declares_slots: false,
        exhausted_slots: false,
        lists_weakref: false,
    };
    super::solid::place(&mut node);
    Arc::new(node)
}

impl Node {
    /// Whether attribute values lie at the end of the instance.
    pub(crate) fn inlines_values(&self) -> bool {
        let fits = match self.abi.inline {
            InlineRule::Never => false,
            InlineRule::BareObjects => self.basicsize == self.abi.object,
            InlineRule::FixedSize => true,
        };
        fits && self.managed_dict && self.itemsize == 0
    }

    /// Whether `object.__new__` makes a block for attribute values.
    pub(crate) fn separates_values(&self) -> bool {
        self.abi.separate_values && self.managed_dict && self.root == Builtin::Object
    }

    /// Whether instances keep their attributes under names that they share with the class.
    pub(crate) fn shares_keys(&self) -> bool {
        match self.abi.sharing {
            Sharing::Never => false,
            Sharing::InOrder => self.dictoffset != 0,
            Sharing::AnyOrder => self.managed_dict,
        }
    }
}
