//! Which objects are code: modules, types, functions, and what belongs to them.

use crate::heap::{Bits, Flags, Graph};

/// Types of objects that are there because code is.
const CODE: [&str; 13] = [
    "builtins.code",
    "builtins.cell",
    "builtins.property",
    "builtins.classmethod",
    "builtins.staticmethod",
    "builtins.getset_descriptor",
    "builtins.member_descriptor",
    "builtins.method_descriptor",
    "builtins.wrapper_descriptor",
    "builtins.classmethod_descriptor",
    "builtins.builtin_function_or_method",
    "_frozen_importlib.ModuleSpec",
    "_frozen_importlib_external.SourceFileLoader",
];

/// Types that belong to the code that refers to them: names, constants, docs.
const SUPPORT: [&str; 8] = [
    "builtins.str",
    "builtins.bytes",
    "builtins.int",
    "builtins.float",
    "builtins.complex",
    "builtins.tuple",
    "builtins.frozenset",
    "builtins.bool",
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Code,
    Support,
    Dict,
    Other,
}

/// The living objects that are code: modules, types, functions and descriptors; their dicts, names, constants and
/// docs. A container or an instance that a module's name refers to is not.
pub(super) fn code(graph: &Graph) -> Bits {
    let mut kinds = Vec::new();
    for class in graph.types() {
        let kind = match &*class.name {
            name if CODE.contains(&name) => Kind::Code,
            name if SUPPORT.contains(&name) => Kind::Support,
            "builtins.dict" => Kind::Dict,
            _ => Kind::Other,
        };
        if class.id as usize >= kinds.len() {
            kinds.resize(class.id as usize + 1, Kind::Other);
        }
        kinds[class.id as usize] = kind;
    }
    let kind = |id: u32| graph.type_id(id).map_or(Kind::Other, |class| kinds[class as usize]);
    let is_code = |id: u32| graph.flags(id).has(Flags::NAMED) || kind(id) == Kind::Code;
    let mut code = Bits::new(graph.len());
    let mut stack = Vec::new();
    for id in graph.ids().filter(|&id| graph.is_object(id) && !graph.garbage().dead().has(id)) {
        if is_code(id) && code.insert(id) {
            stack.push(id);
        }
    }
    while let Some(id) = stack.pop() {
        let owns_dicts = graph.flags(id).has(Flags::NAMED);
        for &to in graph.referents(id) {
            let belongs = match kind(to) {
                Kind::Support => true,
                Kind::Dict => owns_dicts || graph.names.is_named(to),
                Kind::Code | Kind::Other => false,
            };
            if belongs && code.insert(to) {
                stack.push(to);
            }
        }
    }
    code
}
