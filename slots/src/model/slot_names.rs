//! The names in `__slots__`: which are allowed, what they become, in which order they lie.

use std::collections::HashSet;
use std::sync::Arc;

use unicode_ident::{is_xid_continue, is_xid_start};

use super::abi::Abi;
use super::layout_error::LayoutError;
use super::slots_value::SlotItem;

/// `__slots__`, read: the named slots in the order of their offsets, and what else was wished for.
#[derive(Debug)]
pub(crate) struct SlotNames {
    /// Mangled and sorted; a name listed twice stands here twice.
    pub(crate) named: Vec<Arc<str>>,
    pub(crate) dict: bool,
    pub(crate) weakref: bool,
}

/// What the base class leaves room for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    pub(crate) dict: bool,
    pub(crate) weakref: bool,
}

impl SlotNames {
    /// Checks the names one after the other, then mangles and sorts the named slots
    /// (`type_new_visit_slots` and `type_new_slots_impl`, `Objects/typeobject.c`).
    pub(crate) fn read(
        class: &str,
        listed: &[SlotItem<'_>],
        room: Room,
        body: &[&str],
        abi: &Abi,
    ) -> Result<SlotNames, LayoutError> {
        let mut slots = SlotNames { named: Vec::new(), dict: false, weakref: false };
        if abi.bytes_are_text {
            listed.iter().try_for_each(check_encodable)?;
        }
        for item in listed {
            let name = identifier(item, abi)?;
            match name {
                "__dict__" if !room.dict || slots.dict => return Err(LayoutError::DictSlot),
                "__dict__" => slots.dict = true,
                "__weakref__" if !room.weakref || slots.weakref => {
                    let names_itemsize = abi.weakref_error_names_itemsize;
                    return Err(LayoutError::WeakrefSlot { names_itemsize });
                }
                "__weakref__" => slots.weakref = true,
                _ => slots.named.push(mangle(class, name)),
            }
        }
        let defined: HashSet<Arc<str>> = body
            .iter()
            .filter(|name| !abi.removed_before_slots.contains(name))
            .map(|name| mangle(class, name))
            .collect();
        let conflicts = |name: &Arc<str>| abi.class_variables.contains(&&**name) || defined.contains(name);
        if abi.checks_class_variables
            && let Some(name) = slots.named.iter().find(|name| conflicts(name))
        {
            return Err(LayoutError::ClassVariable { name: name.to_string() });
        }
        slots.named.sort_unstable();
        Ok(slots)
    }
}

/// The name, if it is a text and `str.isidentifier()` holds. Characters beyond ASCII are judged by today's
/// Unicode; an interpreter that is older than a character refuses it. In 2.7 none of them can stand in a name.
fn identifier<'a>(item: &SlotItem<'a>, abi: &Abi) -> Result<&'a str, LayoutError> {
    let name = match *item {
        SlotItem::Name(name) | SlotItem::Unicode(name) => name,
        SlotItem::LoneSurrogate(_) => return Err(LayoutError::NotIdentifier),
        SlotItem::Other(kind) => return Err(LayoutError::NotString { kind: kind.to_owned() }),
    };
    let may = |c: char| c.is_ascii() || !abi.bytes_are_text;
    let mut characters = name.chars();
    let starts = characters.next().is_some_and(|c| may(c) && (c == '_' || is_xid_start(c)));
    if starts && characters.all(|c| may(c) && is_xid_continue(c)) {
        Ok(name)
    } else {
        Err(LayoutError::NotIdentifier)
    }
}

/// 2.7 makes every `unicode` a `str` first (`_unicode_to_string`).
fn check_encodable(item: &SlotItem<'_>) -> Result<(), LayoutError> {
    let codes: Vec<u32> = match *item {
        SlotItem::Unicode(name) => name.chars().map(u32::from).collect(),
        SlotItem::LoneSurrogate(code) => vec![code.into()],
        _ => return Ok(()),
    };
    let Some(first) = codes.iter().position(|&code| code > 0x7f) else { return Ok(()) };
    let run = codes[first..].iter().take_while(|&&code| code > 0x7f).count();
    Err(LayoutError::NotEncodable { code: codes[first], first, last: first + run - 1 })
}

/// `__a` in class `C` or `_C` is `_C__a` (`_Py_Mangle`, `Python/compile.c`).
fn mangle(class: &str, name: &str) -> Arc<str> {
    let class = class.trim_start_matches('_');
    if !name.starts_with("__") || name.ends_with("__") || class.is_empty() {
        return name.into();
    }
    format!("_{class}{name}").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Target;

    fn read_on(label: &str, class: &str, listed: &[SlotItem<'_>]) -> Result<Vec<String>, LayoutError> {
        let abi = Abi::of(label.parse::<Target>().unwrap()).unwrap();
        let slots = SlotNames::read(class, listed, Room { dict: true, weakref: true }, &[], abi)?;
        Ok(slots.named.iter().map(|name| name.to_string()).collect())
    }

    fn read(class: &str, listed: &[&str]) -> Result<Vec<String>, LayoutError> {
        let listed: Vec<SlotItem<'_>> = listed.iter().copied().map(SlotItem::Name).collect();
        read_on("3.13", class, &listed)
    }

    #[test]
    fn names_are_mangled_then_sorted() {
        assert_eq!(read("C", &["b", "a", "a", "__p", "__q__"]).unwrap(), ["_C__p", "__q__", "a", "a", "b"]);
        assert_eq!(read("__C", &["__p"]).unwrap(), ["_C__p"]);
        assert_eq!(read("__", &["__p"]).unwrap(), ["__p"]);
        assert_eq!(read("C", &["é", "z", "変数"]).unwrap(), ["z", "é", "変数"]);
    }

    #[test]
    fn what_is_no_identifier_is_refused() {
        for name in ["", "1a", "a b", "a\0b", "a.b", "-", "é!", "·", "٣", "\u{300}", "a\u{2028}"] {
            assert_eq!(read("C", &[name]), Err(LayoutError::NotIdentifier), "{name:?}");
        }
        assert!(read("C", &["class", "_", "a1", "ªº", "a·", "℘"]).is_ok(), "keywords are allowed");
    }

    #[test]
    fn the_oldest_takes_ascii_only() {
        let e = [SlotItem::Name("é")];
        assert_eq!(read_on("2.7", "C", &e), Err(LayoutError::NotIdentifier));
        let error = read_on("2.7", "C", &[SlotItem::Unicode("aé変")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "UnicodeEncodeError: 'ascii' codec can't encode characters in position 1-2: ordinal not in range(128)"
        );
        assert!(read_on("3.6", "C", &e).is_ok());
    }

    #[test]
    fn names_of_the_class_body_conflict() {
        let error = read("C", &["__firstlineno__"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "ValueError: '__firstlineno__' in __slots__ conflicts with class variable"
        );
        assert!(read("C", &["__qualname__", "__init__"]).is_ok());
    }
}
