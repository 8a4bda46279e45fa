//! The names in `__slots__`: which are allowed, what they become, in which order they lie.

use std::collections::HashSet;
use std::sync::Arc;

use super::abi::Abi;
use super::layout_error::LayoutError;

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
    pub(crate) fn read<S: AsRef<str>>(
        class: &str,
        listed: &[S],
        room: Room,
        body: &[&str],
        abi: &Abi,
    ) -> Result<SlotNames, LayoutError> {
        let mut slots = SlotNames { named: Vec::new(), dict: false, weakref: false };
        for name in listed.iter().map(AsRef::as_ref) {
            check_identifier(name)?;
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
        let defined: HashSet<Arc<str>> = body.iter().map(|name| mangle(class, name)).collect();
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

/// `str.isidentifier()` as far as ASCII goes.
fn check_identifier(name: &str) -> Result<(), LayoutError> {
    if !name.is_ascii() {
        return Err(LayoutError::Unsupported { what: "slot names beyond ASCII" });
    }
    let mut bytes = name.bytes();
    let starts = bytes.next().is_some_and(|b| b == b'_' || b.is_ascii_alphabetic());
    let goes_on = bytes.all(|b| b == b'_' || b.is_ascii_alphanumeric());
    if starts && goes_on { Ok(()) } else { Err(LayoutError::NotIdentifier) }
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

    fn read(class: &str, listed: &[&str]) -> Result<Vec<String>, LayoutError> {
        let abi = Abi::of("3.13".parse::<Target>().unwrap()).unwrap();
        let slots = SlotNames::read(class, listed, Room { dict: true, weakref: true }, &[], abi)?;
        Ok(slots.named.iter().map(|name| name.to_string()).collect())
    }

    #[test]
    fn names_are_mangled_then_sorted() {
        assert_eq!(read("C", &["b", "a", "a", "__p", "__q__"]).unwrap(), ["_C__p", "__q__", "a", "a", "b"]);
        assert_eq!(read("__C", &["__p"]).unwrap(), ["_C__p"]);
        assert_eq!(read("__", &["__p"]).unwrap(), ["__p"]);
    }

    #[test]
    fn what_is_no_identifier_is_refused() {
        for name in ["", "1a", "a b", "a\0b", "a.b", "-"] {
            assert_eq!(read("C", &[name]), Err(LayoutError::NotIdentifier), "{name:?}");
        }
        assert!(read("C", &["class", "_", "a1"]).is_ok(), "keywords are allowed");
        assert!(matches!(read("C", &["é"]), Err(LayoutError::Unsupported { .. })));
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
