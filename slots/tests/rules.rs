//! The language rules of `__slots__`: small programs whose outcome was recorded on twelve interpreters, told to the
//! model, which must say the same.

#[allow(dead_code, reason = "of the module that reads tables, only the reading is used here")]
#[path = "../examples/check/tables/mod.rs"]
mod tables;

use std::path::Path;

use cpymem_slots::model::{
    Builtin, Class, ClassLayout, Dataclass, InstanceError, LayoutError, SlotItem, SlotsValue, Target,
};
use serde_json::Value;

/// Cases that are no matter of layouts, of instances' attributes or of errors when a class is made.
const LEFT_OUT: [(&str, &str); 25] = [
    ("bases_assign", "the bases of a finished class"),
    ("cached_property", "what a library function says"),
    ("class_get", "how a descriptor is shown"),
    ("classattr_readonly", "attributes of the class are not kept"),
    ("dc_frozen_set", "what the methods of a dataclass do"),
    ("dc_frozen_slots_pickle", "what the methods of a dataclass do"),
    ("dc_slots_cached_property", "what a library function says"),
    ("dc_slots_doc", "an argument of field(), not of the class"),
    ("dc_slots_identity", "which of two classes a name is bound to"),
    ("dc_slots_init_subclass", "how often a hook runs"),
    ("dc_slots_super", "a call of a method"),
    ("default_via_class", "an attribute of the class that is set later"),
    ("delattr_then_get", "reading: the text names the module, which the model does not know"),
    ("dict_assign_nondict", "a __dict__ that is no dict"),
    ("dict_delete", "del obj.__dict__"),
    ("dict_slots", "documentation that inspect finds"),
    ("getstate", "which methods object has"),
    ("instance_dict_subclass", "a __dict__ of a class of its own"),
    ("match_args", "which attributes a class has"),
    ("pickle_proto0", "what pickle says"),
    ("type_sub_empty", "metaclasses, whose instances are classes"),
    ("type_sub_slots", "metaclasses, whose instances are classes"),
    ("unset_get", "reading: the text names the module, which the model does not know"),
    ("wrong_type", "a call of a descriptor"),
    ("wrong_type_set", "a call of a descriptor"),
];

/// Programs that end before the class is made: of syntax or libraries that the version does not have.
const NEVER_RAN: [&str; 4] =
    ["SyntaxError: ", "ImportError: ", "ModuleNotFoundError: ", "AttributeError: module "];

/// What a program sets `R` to; or the text of the error that ends it.
type Outcome = Result<Option<String>, String>;

struct Python(Target);

impl Python {
    fn builtin(&self, builtin: Builtin) -> ClassLayout {
        ClassLayout::builtin(builtin, self.0).unwrap()
    }

    fn object(&self) -> ClassLayout {
        self.builtin(Builtin::Object)
    }

    fn said(&self, error: &LayoutError) -> String {
        error.in_class_statement(self.0)
    }

    /// `class C(BASES): pass`
    fn plain(&self, bases: &[&ClassLayout]) -> Result<ClassLayout, String> {
        ClassLayout::new("C", bases).map_err(|error| self.said(&error))
    }

    /// `class NAME(BASES): __slots__ = SLOTS`
    fn named(&self, name: &str, bases: &[&ClassLayout], slots: &[&str]) -> Result<ClassLayout, String> {
        ClassLayout::with_slots(name, bases, slots).map_err(|error| self.said(&error))
    }

    /// `class C(object): __slots__ = SLOTS`
    fn slots(&self, slots: &[&str]) -> Result<ClassLayout, String> {
        self.named("C", &[&self.object()], slots)
    }

    /// `class C(BUILTIN): __slots__ = SLOTS`
    fn derived(&self, builtin: Builtin, slots: &[&str]) -> Result<ClassLayout, String> {
        self.named("C", &[&self.builtin(builtin)], slots)
    }

    /// `class C(object): __slots__ = VALUE`
    fn value(&self, value: SlotsValue<'_>) -> Result<ClassLayout, String> {
        ClassLayout::with_slots_value("C", &[&self.object()], value, &[]).map_err(|error| self.said(&error))
    }

    /// `class C(object)` with slots and other names in its body.
    fn body(&self, slots: &[&str], body: &[&str]) -> Result<ClassLayout, String> {
        ClassLayout::with_slots_and_body("C", &[&self.object()], slots, body)
            .map_err(|error| self.said(&error))
    }

    fn dataclass(&self, bases: &[&ClassLayout], it: Dataclass<'_>) -> Result<ClassLayout, String> {
        Dataclass { name: "C", ..it }.layout(bases).map_err(|error| self.said(&error))
    }
}

/// As Python shows a number, a text, a truth value.
fn repr(values: &[&dyn Repr]) -> String {
    let all: Vec<String> = values.iter().map(|it| it.repr()).collect();
    if let [one] = &all[..] { one.clone() } else { format!("({})", all.join(", ")) }
}

trait Repr {
    fn repr(&self) -> String;
}

impl Repr for bool {
    fn repr(&self) -> String {
        if *self { "True".to_owned() } else { "False".to_owned() }
    }
}

impl Repr for u64 {
    fn repr(&self) -> String {
        self.to_string()
    }
}

impl Repr for i64 {
    fn repr(&self) -> String {
        self.to_string()
    }
}

/// The names of a class's own slots as a tuple.
struct SlotTuple<'a>(&'a ClassLayout);

impl Repr for SlotTuple<'_> {
    fn repr(&self) -> String {
        let names: Vec<String> = self.0.own_slots().map(|(name, _)| format!("'{name}'")).collect();
        if let [one] = &names[..] { format!("({one},)") } else { format!("({})", names.join(", ")) }
    }
}

/// The different names of a class's own slots as a list.
fn slot_list(class: &ClassLayout) -> String {
    let mut names: Vec<String> = class.own_slots().map(|(name, _)| format!("'{name}'")).collect();
    names.dedup();
    format!("[{}]", names.join(", "))
}

fn event(result: Result<(), InstanceError>) -> Result<(), String> {
    result.map_err(|error| error.to_string())
}

fn no_result(class: ClassLayout) -> Outcome {
    drop(class);
    Ok(None)
}

fn result(text: impl Into<String>) -> Outcome {
    Ok(Some(text.into()))
}

/// Tells the model the program of a case; `None` if it is not told.
fn outcome(case: &str, py: &Python) -> Option<Outcome> {
    let told = values(case, py).or_else(|| names(case, py)).or_else(|| instances(case, py));
    told.or_else(|| built_in(case, py)).or_else(|| several(case, py)).or_else(|| dataclasses(case, py))
}

/// What `__slots__` may be.
fn values(case: &str, py: &Python) -> Option<Outcome> {
    let items = |items: &[SlotItem<'_>]| py.value(SlotsValue::Items(items));
    let run = || -> Option<Outcome> {
        Some(match case {
            "empty" => py.slots(&[]).and_then(|it| result(repr(&[&it.has_dict()]))),
            "str_slot" => py.value(SlotsValue::Text("abc")).and_then(|it| result(slot_list(&it) + "'abc'")),
            "bytes_slot_py3" => py.value(SlotsValue::Bytes("abc")).and_then(no_result),
            "list_slots" => py.slots(&["b", "a"]).and_then(|it| {
                let found = it.slot("a").map(|_| "member_descriptor");
                result(format!("(['b', 'a'], '{}')", found.unwrap_or("nothing")))
            }),
            "iterator_slots" => py
                .value(SlotsValue::Iterator(&[SlotItem::Name("a"), SlotItem::Name("b")]))
                .and_then(|it| result(format!("([], {})", it.slot("a").is_some().repr()))),
            "set_slots" | "str_subclass_item" => {
                items(&[SlotItem::Name("a")]).and_then(|it| result(it.slot("a").is_some().repr()))
            }
            "none_slots" => py.value(SlotsValue::NotIterable("NoneType")).and_then(no_result),
            "int_slots" => py.value(SlotsValue::NotIterable("int")).and_then(no_result),
            "int_item" => items(&[SlotItem::Name("a"), SlotItem::Other("int")]).and_then(no_result),
            "none_item" => items(&[SlotItem::Other("NoneType")]).and_then(no_result),
            "empty_string" => py.value(SlotsValue::Text("")).and_then(no_result),
            "nonascii_item" => items(&[SlotItem::Unicode("é")]).and_then(|it| {
                let escaped: String = slot_list(&it).replace('é', "\\xe9");
                result(escaped)
            }),
            "surrogate_item" => items(&[SlotItem::LoneSurrogate(0xd800)]).and_then(no_result),
            "many_slots" => {
                let names: Vec<String> = (0..100_000).map(|i| format!("a{i}")).collect();
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                py.slots(&names).and_then(|it| result(it.basicsize().repr()))
            }
            _ => return None,
        })
    };
    run()
}

/// Which names slots may have, and what becomes of them.
fn names(case: &str, py: &Python) -> Option<Outcome> {
    let one = |name: &str| py.slots(&[name]).and_then(no_result);
    let found = |name: &str| py.slots(&[name]).and_then(|it| result(it.slot(name).is_some().repr()));
    let is_slot = |name: &str| {
        py.slots(&[name]).and_then(|it| {
            let kind = if it.slot(name).is_some() { "member_descriptor" } else { "nothing" };
            result(format!("'{kind}'"))
        })
    };
    let mangled =
        |class: &str| py.named(class, &[&py.object()], &["__a"]).and_then(|it| result(slot_list(&it)));
    Some(match case {
        "not_identifier" => one("a b"),
        "empty_string_item" => one(""),
        "digit_first" => one("1a"),
        "nul_item" => one("a\0b"),
        "mangle_dot" => one("__a.b"),
        "module_slot" => one("__module__"),
        "slots_slot" => one("__slots__"),
        "dict_twice" => py.slots(&["__dict__", "__dict__"]).and_then(no_result),
        "weakref_twice" => py.slots(&["__weakref__", "__weakref__"]).and_then(no_result),
        "keyword_item" => found("class"),
        "mangle_dunder" => found("__a__"),
        "qualname_slot" => is_slot("__qualname__"),
        "doc_slot_nodoc" => is_slot("__doc__"),
        "class_slot" => is_slot("__class__"),
        "hash_slot" => is_slot("__hash__"),
        "mangle" => mangled("C"),
        "mangle_under_class" => mangled("_C"),
        "mangle_all_under" => mangled("__"),
        "duplicate" => py.slots(&["a", "a"]).and_then(|it| result(repr(&[&it.basicsize(), &SlotTuple(&it)]))),
        "dup_after_mangle" => py
            .slots(&["__a", "_C__a"])
            .and_then(|it| result(format!("({}, {})", it.basicsize(), slot_list(&it)))),
        "classvar_conflict" => py.body(&["a"], &["a"]).and_then(no_result),
        "classvar_conflict_mangled" => py.body(&["__a"], &["__a"]).and_then(no_result),
        "classvar_conflict_method" => py.body(&["f"], &["f"]).and_then(no_result),
        // An annotation without a value defines nothing.
        "classvar_conflict_annot" => py.body(&["a"], &[]).and_then(|_| result("ok")),
        "doc_slot_doc" => py.body(&["__doc__"], &["__doc__"]).and_then(no_result),
        // A method that uses __class__ makes the compiler define __classcell__.
        "classcell_slot" => py.body(&["__classcell__"], &["f", "__classcell__"]).and_then(no_result),
        "eq_hash" => py.body(&["__hash__"], &["__eq__"]).and_then(|it| {
            let found = it.own_slots().next().map(|(name, _)| format!("<member '{name}'"));
            result(found.unwrap_or_default().get(..14).unwrap_or_default())
        }),
        _ => return None,
    })
}

/// What instances take.
fn instances(case: &str, py: &Python) -> Option<Outcome> {
    let a = || py.slots(&["a"]);
    let live = |layout: ClassLayout,
                act: fn(&mut cpymem_slots::model::Instance<'_>) -> Result<(), InstanceError>| {
        let class = Class::new(&layout);
        let mut instance = class.instance();
        event(act(&mut instance))
    };
    // An instance of a class without bases but object, of slots `from`, becomes one of slots `to`.
    let becomes = |from: Option<&[&str]>, to: Option<&[&str]>| -> Result<(), String> {
        let class = |name: &str, slots: Option<&[&str]>| match slots {
            Some(slots) => py.named(name, &[&py.object()], slots),
            None => ClassLayout::new(name, &[&py.object()]).map_err(|error| py.said(&error)),
        };
        let (from, to) = (Class::new(&class("A", from)?), Class::new(&class("B", to)?));
        event(from.instance().set_class(&to))
    };
    Some(match case {
        "dict_slot" => py
            .slots(&["__dict__"])
            .and_then(|it| live(it, |it| it.set("q")))
            .and_then(|()| result("{'q': 1}")),
        "dict_slot_over_dict_base" => py
            .plain(&[&py.object()])
            .and_then(|base| py.named("C", &[&base], &["__dict__"]))
            .and_then(no_result),
        "weakref_over_weakref_base" => py
            .plain(&[&py.object()])
            .and_then(|base| py.named("C", &[&base], &["__weakref__"]))
            .and_then(no_result),
        "weakref_over_slots_base" => py
            .slots(&[])
            .and_then(|base| py.named("C", &[&base], &["__weakref__"]))
            .and_then(|it| live(it, |it| it.weakref()))
            .map(|()| None),
        "no_weakref" => a().and_then(|it| live(it, |it| it.weakref())).map(|()| None),
        "weakref_attr" => py
            .slots(&["__weakref__"])
            .and_then(|it| result(if it.has_weakref() { "None" } else { "nothing" })),
        "no_dict_set" => a().and_then(|it| live(it, |it| it.set("b"))).map(|()| None),
        "no_dict_get" => a().and_then(|it| live(it, |it| it.get("b"))).map(|()| None),
        "no_dict_vars" => a().and_then(|it| live(it, |it| it.vars())).map(|()| None),
        "unset_del" => a().and_then(|it| live(it, |it| it.delete("a"))).map(|()| None),
        "slots_after_creation" => {
            py.plain(&[&py.object()]).and_then(|it| live(it, |it| it.set("zz"))).map(|()| None)
        }
        "object_dict" => live(py.object(), |it| it.set("x")).map(|()| None),
        "class_assign_ok" => becomes(Some(&["a", "b"]), Some(&["b", "a"])).and_then(|()| result("1")),
        "class_assign_names" => becomes(Some(&["a"]), Some(&["b"])).map(|()| None),
        "class_assign_dict_slots" => becomes(None, Some(&["a"])).map(|()| None),
        "class_assign_plain" => becomes(None, None).and_then(|()| result("1")),
        "copy" => a().and_then(|it| {
            let class = Class::new(&it);
            let mut instance = class.instance();
            event(instance.set("a"))?;
            let mut copy = instance.copy().map_err(|error| error.to_string())?;
            event(copy.delete("a"))?;
            result("1")
        }),
        "pickle_proto2" => a().and_then(|it| {
            let class = Class::new(&it);
            let copy = class.unpickled(&["a"]).map_err(|error| error.to_string())?;
            let dict = if copy.footprint().getsizeof_dict().is_some() { "{}" } else { "None" };
            result(format!("({dict}, {{'a': 1}})"))
        }),
        _ => return None,
    })
}

/// Classes derived from built-in ones and from those of the library.
fn built_in(case: &str, py: &Python) -> Option<Outcome> {
    let nothing = |builtin, slots: &[&str]| py.derived(builtin, slots).and_then(no_result);
    let weakref = |layout: Result<ClassLayout, String>| {
        layout.and_then(|it| event(Class::new(&it).instance().weakref())).map(|()| None)
    };
    let sets = |layout: ClassLayout, name: &str| event(Class::new(&layout).instance().set(name));
    let shown = |it: ClassLayout| result(repr(&[&it.basicsize(), &it.has_dict()]));
    let named_tuple = || py.named("N", &[&py.builtin(Builtin::Tuple)], &[]);
    Some(match case {
        "int_sub_slots" => nothing(Builtin::Int, &["a"]),
        "int_sub_slots_dict" => {
            py.derived(Builtin::Int, &["__dict__"]).and_then(|it| sets(it, "x")).map(|()| None)
        }
        "int_sub_slots_weakref" => nothing(Builtin::Int, &["__weakref__"]),
        "int_sub_empty" => py.derived(Builtin::Int, &[]).and_then(|it| result(it.has_dict().repr())),
        "int_sub_noslots_weakref" => weakref(py.plain(&[&py.builtin(Builtin::Int)])),
        "tuple_sub_slots" => nothing(Builtin::Tuple, &["a"]),
        "tuple_sub_slots_dict" => {
            py.derived(Builtin::Tuple, &["__dict__"]).and_then(|it| sets(it, "x")).map(|()| None)
        }
        "tuple_sub_noslots_weakref" => weakref(py.plain(&[&py.builtin(Builtin::Tuple)])),
        "bytes_sub_slots" => nothing(Builtin::Bytes, &["a"]),
        "str_sub_slots" => py.derived(Builtin::Str, &["a"]).and_then(|it| {
            sets(it.clone(), "a")?;
            result(it.basicsize().repr())
        }),
        "list_sub_slots" => py.derived(Builtin::List, &["a"]).and_then(|it| sets(it, "a")).map(|()| None),
        "long_namedtuple_slots" => {
            named_tuple().and_then(|base| py.named("C", &[&base], &["y"])).and_then(no_result)
        }
        "exception_slots" => py.derived(Builtin::Exception, &["a"]).and_then(|it| {
            sets(it.clone(), "z")?;
            result(it.basicsize().repr())
        }),
        "namedtuple_weakref" => weakref(named_tuple()),
        "namedtuple_dict" => named_tuple().and_then(|it| sets(it, "y")).map(|()| None),
        // ABC and Generic have empty slots; Protocol, too, but a protocol made of it and Enum have none.
        "abc_slots" | "generic_slots" => py
            .named("A", &[&py.object()], &[])
            .and_then(|base| py.named("C", &[&base], &["a"]))
            .and_then(shown),
        "protocol_slots" | "enum_slots" => ClassLayout::new("P", &[&py.object()])
            .map_err(|error| py.said(&error))
            .and_then(|base| py.named("C", &[&base], &["a"]))
            .and_then(|it| result(it.has_dict().repr())),
        _ => return None,
    })
}

/// Several bases.
fn several(case: &str, py: &Python) -> Option<Outcome> {
    let object = py.object();
    let base = |name: &str, slots: &[&str]| py.named(name, &[&object], slots);
    let over =
        |first: &ClassLayout, second: &ClassLayout, slots: &[&str]| py.named("C", &[first, second], slots);
    let run = || -> Result<Option<Outcome>, String> {
        Ok(Some(match case {
            "mb_two_nonempty" => no_result(over(&base("A", &["a"])?, &base("B", &["b"])?, &[])?),
            "mb_one_empty" => result(over(&base("A", &["a"])?, &base("B", &[])?, &["c"])?.basicsize().repr()),
            "mb_slots_dictonly" => {
                let it = over(&base("A", &["a"])?, &base("B", &["__dict__"])?, &[])?;
                result(repr(&[&it.basicsize(), &it.dictoffset(), &it.weakrefoffset()]))
            }
            "mb_dictonly_first" => {
                let it = over(&base("B", &["__dict__"])?, &base("A", &["a"])?, &[])?;
                result(repr(&[&it.basicsize(), &it.dictoffset()]))
            }
            "mb_plain_plain_slots" => {
                let it = over(&py.plain(&[&object])?, &base("A", &["a"])?, &[])?;
                result(repr(&[&it.basicsize(), &it.has_dict()]))
            }
            "mb_same_layout" => {
                let root = base("R0", &["a"])?;
                let both = [py.named("A", &[&root], &[])?, py.named("B", &[&root], &[])?];
                result(over(&both[0], &both[1], &[])?.basicsize().repr())
            }
            "mb_diamond_two" => {
                let root = base("R0", &["r"])?;
                let both = [py.named("A", &[&root], &["a"])?, py.named("B", &[&root], &["b"])?];
                no_result(py.plain(&[&both[0], &both[1]])?)
            }
            "mb_int_str" => no_result(py.plain(&[&py.builtin(Builtin::Int), &py.builtin(Builtin::Str)])?),
            "mb_list_slots" => no_result(py.plain(&[&py.builtin(Builtin::List), &base("A", &["a"])?])?),
            "mb_weakref_only" => {
                let weak = ["__weakref__"];
                result(over(&base("A", &weak)?, &base("B", &weak)?, &[])?.basicsize().repr())
            }
            "shadow_base_slot" => {
                let first = base("A", &["a"])?;
                let second = py.named("B", &[&first], &["a"])?;
                let cells = if first.slot("a") == second.slot("a") { "shared" } else { "two cells" };
                result(format!("{cells}, basicsize {}", second.basicsize()))
            }
            _ => return Ok(None),
        }))
    };
    run().unwrap_or_else(|error| Some(Err(error)))
}

/// Dataclasses.
fn dataclasses(case: &str, py: &Python) -> Option<Outcome> {
    let object = py.object();
    let plain = Dataclass { fields: &["a"], ..Dataclass::default() };
    let slots = Dataclass { slots: true, ..plain };
    let written = Some(SlotsValue::Items(&[SlotItem::Name("a")]));
    let run = || -> Result<Option<Outcome>, String> {
        Ok(Some(match case {
            "dc_slots" => {
                let it =
                    py.dataclass(&[&object], Dataclass { fields: &["a", "b"], body: &["b"], ..slots })?;
                result(format!(
                    "({}, {}, 3, {})",
                    SlotTuple(&it).repr(),
                    it.has_dict().repr(),
                    it.basicsize()
                ))
            }
            "dc_slots_predefined" => no_result(py.dataclass(&[&object], Dataclass { written, ..slots })?),
            "dc_slots_default_manual" => {
                no_result(py.dataclass(&[&object], Dataclass { written, body: &["a"], ..plain })?)
            }
            "dc_weakref_noslots" => {
                no_result(py.dataclass(&[&object], Dataclass { weakref_slot: true, ..plain })?)
            }
            "dc_weakref_slot" => {
                let it = py.dataclass(&[&object], Dataclass { weakref_slot: true, ..slots })?;
                event(Class::new(&it).instance().weakref())?;
                let names: Vec<String> = it.own_slots().map(|(name, _)| format!("'{name}'")).collect();
                result(format!("({}, '__weakref__')", names.join(", ")))
            }
            "dc_slots_noweak" => {
                let it = py.dataclass(&[&object], slots)?;
                event(Class::new(&it).instance().weakref())?;
                Ok(None)
            }
            "dc_weakref_base_has" => {
                let base = ClassLayout::new("B", &[&object]).map_err(|error| py.said(&error))?;
                let it = py.dataclass(&[&base], Dataclass { weakref_slot: true, ..slots })?;
                result(SlotTuple(&it).repr())
            }
            "dc_slots_inherit" => {
                let base = py.dataclass(&[&object], slots)?;
                let it = py.dataclass(&[&base], Dataclass { fields: &["a", "b"], ..slots })?;
                result(repr(&[&SlotTuple(&base), &SlotTuple(&it), &it.basicsize()]))
            }
            "dc_slots_base_nonslots" => {
                let base = py.dataclass(&[&object], plain)?;
                let it = py.dataclass(&[&base], Dataclass { fields: &["a", "b"], ..slots })?;
                // Both fields are slots, so the dict stays empty.
                let left = ["a", "b"].iter().filter(|name| it.slot(name).is_none()).count();
                result(format!(
                    "({}, {}, {{{}}})",
                    SlotTuple(&it).repr(),
                    it.has_dict().repr(),
                    ".".repeat(left)
                ))
            }
            "dc_slots_base_iter" => {
                let iterator = SlotsValue::Iterator(&[SlotItem::Name("a")]);
                let base = ClassLayout::with_slots_value("B", &[&object], iterator, &[])
                    .map_err(|error| py.said(&error))?;
                no_result(py.dataclass(&[&base], Dataclass { fields: &["b"], ..slots })?)
            }
            // An InitVar and a ClassVar are no fields, but the body defines them.
            "dc_slots_initvar" | "dc_slots_classvar" => {
                let it = py.dataclass(&[&object], Dataclass { body: &["i"], ..slots })?;
                result(SlotTuple(&it).repr())
            }
            _ => return Ok(None),
        }))
    };
    run().unwrap_or_else(|error| Some(Err(error)))
}

fn rows() -> Vec<Value> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/rules.jsonl.gz");
    tables::read(&file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn programs_end_as_recorded() {
    let rows = rows();
    assert_eq!(rows.len(), 127);
    let (mut told, mut compared, mut wrong) = (0, 0, Vec::new());
    for row in &rows {
        let case = row["case"].as_str().unwrap();
        if LEFT_OUT.iter().any(|(name, _)| *name == case) {
            assert!(outcome(case, &Python("3.12".parse().unwrap())).is_none(), "{case} is told");
            continue;
        }
        told += 1;
        for group in row["results"].as_array().unwrap() {
            let recorded = group[1].as_str().unwrap();
            if NEVER_RAN.iter().any(|prefix| recorded.starts_with(prefix)) {
                continue;
            }
            for version in group[0].as_array().unwrap() {
                let version = version.as_str().unwrap();
                let model = match outcome(case, &Python(version.parse().unwrap())) {
                    Some(Ok(None)) => "ok".to_owned(),
                    Some(Ok(Some(result))) => format!("ok: {result}"),
                    Some(Err(error)) => error,
                    None => "nothing".to_owned(),
                };
                compared += 1;
                if model != recorded {
                    wrong.push(format!("{case} on {version}: {recorded:?}, model {model:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {compared}: {wrong:#?}", wrong.len());
    assert_eq!(told + LEFT_OUT.len(), rows.len());
    eprintln!("{told} programs, {compared} outcomes");
}
