//! A dataclass with slots, as a diff.

use super::describe::{Decorator, Described};

/// The change of the decorator's line that gives a dataclass slots; none where that could break the program:
/// where the class has slots, a base, a cached property, looks at its `__dict__`, or calls `super()`, which up to
/// 3.13 looks for the class before the decorator remade it; or where its methods set what is no field.
pub(super) fn diff(class: &Described, all: &[Described], source: &str, file: &str) -> Option<String> {
    let Decorator::Dataclass { slots: false, place, called, has_arguments, .. } = &class.decorator else {
        return None;
    };
    let derived_from = all.iter().any(|other| other.bases.contains(&class.name));
    let sets_other = class.assigned.iter().any(|name| !class.fields.contains(name));
    let has_base = class.bases.iter().any(|base| base != "object");
    let blocked = class.slots.is_some()
        || class.slots_unknown
        || has_base
        || derived_from
        || !class.cached_properties.is_empty()
        || class.uses_dict
        || class.uses_super
        || sets_other;
    if blocked {
        return None;
    }
    let written = source.get(place.clone())?;
    let rewritten = match (called, has_arguments) {
        (false, _) => format!("{written}(slots=True)"),
        (true, false) => format!("{}(slots=True)", written.split('(').next()?.trim_end()),
        (true, true) => {
            let inside = written.strip_suffix(')')?.trim_end();
            format!("{}, slots=True)", inside.strip_suffix(',').unwrap_or(inside))
        }
    };
    let start = source[..place.start].rfind('\n').map_or(0, |at| at + 1);
    let end = source[place.end..].find('\n').map_or(source.len(), |at| place.end + at);
    let old = &source[start..end];
    let new = format!("{}{rewritten}{}", &source[start..place.start], &source[place.end..end]);
    let line = 1 + source[..start].matches('\n').count();
    let (before, after) = (old.lines().count(), new.lines().count());
    let mut diff = format!("--- {file}\n+++ {file}\n@@ -{line},{before} +{line},{after} @@\n");
    old.lines().for_each(|text| diff.push_str(&format!("-{text}\n")));
    new.lines().for_each(|text| diff.push_str(&format!("+{text}\n")));
    Some(diff)
}
