//! The facts that differ between CPython builds: what a row of the table has.
//!
//! A new version is a new line of the table in `facts.rs`; nothing else in the model names a version. All
//! sizes are bytes.

use super::facts::TABLE;
use super::target::{Arch, PyVersion, Target, TargetError};

/// Places of the table that a set holds itself (`PySet_MINSIZE`, `Include/cpython/setobject.h`).
pub(crate) const SMALLEST_SET: u64 = 8;

/// Where a class keeps the `__weakref__` of its instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WeakrefHome {
    /// A word at the end of the instance (`type_new_descriptors`, `Objects/typeobject.c`).
    Word,
    /// The pre-header: `MANAGED_WEAKREF_OFFSET` in `Include/internal/pycore_object.h`.
    PreHeader,
}

/// Which plain instances hold their attribute values at their own end
/// (`_PyObject_InitInlineValues`, `Objects/dictobject.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InlineRule {
    /// None.
    Never,
    /// Those as big as a bare `object` (3.13).
    BareObjects,
    /// All whose size is fixed (3.14: [gh-115776](https://github.com/python/cpython/issues/115776)).
    FixedSize,
}

/// How instances share the names of their attributes ([PEP 412](https://peps.python.org/pep-0412/)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// Not at all (2.7).
    Never,
    /// As long as all set them in the same order (up to 3.10).
    InOrder,
    /// In any order (3.11).
    AnyOrder,
}

/// The size that a full table of `used` keys grows to, before rounding (`GROWTH_RATE`,
/// `Objects/dictobject.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Growth {
    /// Four times the keys, twice from 50,000 (2.7).
    Quadruple,
    /// Twice the keys and half the table (3.6).
    DoubleAndHalf,
    /// Three times the keys.
    Triple,
}

/// How a wished size becomes a power of two (`dictresize`, `calculate_log2_keysize`,
/// `Objects/dictobject.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rounding {
    /// The first one above (2.7).
    Above,
    /// The smallest that is enough.
    Smallest,
    /// By bits, which does not always find the smallest: sizes of 1 to 7 and powers of two above 8 give
    /// twice as much (3.10 to 3.13).
    BitTrick,
}

/// How much room `list(tuple)` makes (`list___init___impl`, `Objects/listobject.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListCopy {
    /// As much as an append to a list of that length would (up to 3.7).
    OverAllocates,
    /// Exactly what is needed.
    Exact,
    /// A multiple of two (3.10).
    Even,
}

/// What `@dataclass` knows of slots (`Lib/dataclasses.py`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum DataclassRule {
    /// There are none (up to 3.6).
    Missing,
    /// Nothing.
    WithoutSlots,
    /// `slots=True` makes a slot of every field, inherited ones included (3.10).
    RepeatsInherited,
    /// Of the fields that no base has as a slot; `weakref_slot=True` (3.11).
    SkipsInherited,
    /// And of `__weakref__` only if no base has one (3.13).
    SkipsWeakref,
}

/// When the table of a set grows (`set_add_entry`, `Objects/setobject.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SetRule {
    /// At two thirds of its places (2.7).
    TwoThirdsOfPlaces,
    /// At two thirds of one place less (3.6).
    TwoThirdsOfMask,
    /// At three fifths of one place less.
    ThreeFifthsOfMask,
}

/// Who serves small requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Allocator {
    /// pymalloc, with libc's `malloc` behind it (`Include/internal/pycore_obmalloc.h`).
    Pymalloc {
        /// Bytes of a pointer; blocks are aligned to two.
        word: u64,
        /// `POOL_SIZE`.
        pool: u64,
        /// `ARENA_SIZE`.
        arena: u64,
    },
    /// mimalloc, as bundled since 3.13.
    Mimalloc,
}

/// The layout facts of one build.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Abi {
    pub(crate) major: u8,
    pub(crate) minor: u8,
    /// The first patch level that the row is for.
    pub(crate) since: u8,
    pub(crate) arch: Arch,
    pub(crate) free_threaded: bool,
    /// Bytes of a pointer, of `Py_ssize_t` and of a slot.
    pub(crate) word: u64,
    /// `sizeof(PyObject)`, `Include/object.h`.
    pub(crate) object: u64,
    /// `sizeof(PyVarObject)`, `Include/object.h`.
    pub(crate) var_object: u64,
    /// `sizeof(PyGC_Head)`, in front of every collectable object; `Include/internal/pycore_gc.h`.
    pub(crate) gc_head: u64,
    /// `sizeof(PyDictObject)`, `Include/cpython/dictobject.h`. 2.7 has eight entries in it.
    pub(crate) dict: u64,
    /// `sizeof(PyDictKeysObject)` without its tables, `Include/internal/pycore_dict.h`.
    pub(crate) keys_header: u64,
    /// An entry of a table with string keys only: `sizeof(PyDictUnicodeEntry)`, same file.
    pub(crate) string_entry: u64,
    /// An entry of a table with any keys: `sizeof(PyDictKeyEntry)`, same file.
    pub(crate) general_entry: u64,
    /// How names of attributes are shared.
    pub(crate) sharing: Sharing,
    /// Names a fresh class can share among its instances: `SHARED_KEYS_MAX_SIZE`, same file.
    pub(crate) shared_keys: u64,
    /// log2 of the index table of fresh shared keys: `NEXT_LOG2_SHARED_KEYS_MAX_SIZE`, same file.
    pub(crate) shared_log2: u32,
    /// What a full table grows to.
    pub(crate) growth: Growth,
    /// How sizes of tables are rounded. 3.13 changed the rule between its patch levels 0 and 15.
    pub(crate) rounding: Rounding,
    /// When sets grow.
    pub(crate) set_is_full: SetRule,
    /// The empty `frozenset` is made once for all; `Objects/setobject.c`.
    pub(crate) empty_frozenset_is_made_once: bool,
    /// A `bytes` of one byte that is copied from elsewhere is one of those made once for all;
    /// `Objects/bytesobject.c`.
    pub(crate) single_bytes_are_made_once: bool,
    /// `{}` has a table at once; `PyDict_New`, `Objects/dictobject.c`.
    pub(crate) empty_dict_has_table: bool,
    /// `dict({})` has one; `PyDict_Merge`, same file.
    pub(crate) empty_copy_has_table: bool,
    /// An instance of a subclass of `dict` has one; `dict_new`, same file.
    pub(crate) dict_subclass_has_table: bool,
    /// A table of the smallest size that a dict leaves is kept for the next; `free_keys_object`, same file.
    pub(crate) parks_tables: bool,
    /// `d.update(other)` of an empty `d` may take over a copy of the other's table; `dict_merge`, same file.
    pub(crate) update_clones: bool,
    /// It does so even where `d` shares its keys.
    pub(crate) update_replaces_values: bool,
    /// `tuple.__basicsize__`, `Include/cpython/tupleobject.h`. 3.14 caches the hash.
    pub(crate) tuple: u64,
    /// `list.__basicsize__`, `Include/cpython/listobject.h`.
    pub(crate) list: u64,
    /// `_PyListArray.allocated` in front of the items of a list, `Objects/listobject.c`.
    pub(crate) list_items_header: u64,
    /// A list grows to a multiple of four; `list_resize`, `Objects/listobject.c`.
    pub(crate) list_grows_by_fours: bool,
    /// The room of `list(tuple)`; `list_preallocate_exact`, same file.
    pub(crate) list_copy: ListCopy,
    /// Longer displays of lists are built by appending; `Python/compile.c`.
    pub(crate) longest_exact_display: u64,
    /// `int` is a C `long` (2.7).
    pub(crate) int_is_fixed: bool,
    /// `int.__itemsize__`: a digit of 30 or 15 bits, `Include/cpython/longintrepr.h`.
    pub(crate) int_digit: u64,
    /// 0 is counted with one digit; `int___sizeof___impl`, `Objects/longobject.c`.
    pub(crate) zero_has_a_digit: bool,
    /// `int.__sizeof__` counts the fields a subclass adds; same function.
    pub(crate) int_sizeof_counts_fields: bool,
    /// `sizeof(PyASCIIObject)`, the head of an exact ASCII `str`; `Include/cpython/unicodeobject.h`.
    pub(crate) ascii: u64,
    /// `str.__basicsize__`, same file. 3.12 removed `wstr` and `wstr_length` (PEP 623).
    pub(crate) string: u64,
    /// The characters of Latin-1 that are made once for all have their UTF-8 form with them.
    pub(crate) characters_have_utf8: bool,
    /// `bytes.__basicsize__`: a hash, and room for the NUL; `Include/cpython/bytesobject.h`. 2.7: that of `str`.
    pub(crate) bytes: u64,
    /// Characters of a `str` are items of the object (2.7).
    pub(crate) string_has_items: bool,
    /// The integers that are made once for all; `_PY_NSMALLPOSINTS`, `Include/internal/pycore_global_objects.h`.
    pub(crate) small_ints: (i64, i64),
    /// `Exception.__basicsize__`, `Include/cpython/pyerrors.h`.
    pub(crate) exception: u64,
    /// A `weakref.ref` with its GC header; `PyWeakReference`, `Include/cpython/weakrefobject.h`.
    pub(crate) weakref_object: u64,
    /// A new object's values are as many as the shared keys hold *before* (true) or *after* (false) the
    /// object has lowered their reserve by one; `_PyObject_InitializeDict`, `_PyType_AllocNoTrack`.
    pub(crate) sized_before_shrink: bool,
    /// `object.__new__` makes a block for attribute values (`_PyObject_InitializeDict`,
    /// `Objects/dictobject.c`).
    pub(crate) separate_values: bool,
    /// Which instances hold their values themselves.
    pub(crate) inline: InlineRule,
    /// A class shares the names that its methods assign to from the start
    /// ([gh-115775](https://github.com/python/cpython/issues/115775)).
    pub(crate) static_attributes: bool,
    /// Where `__weakref__` lives.
    pub(crate) weakref: WeakrefHome,
    /// A managed dict has `__dictoffset__` -1; before, it told the distance to the pre-header;
    /// `type_new_descriptors`, `Objects/typeobject.c`.
    pub(crate) dictoffset_is_minus_one: bool,
    /// `__dict__` lives in the pre-header; same function.
    pub(crate) manages_dict: bool,
    /// Classes with a variable part can have their dict managed, too; same function.
    pub(crate) manages_variable: bool,
    /// An instance without values gets shared ones with its dict; else an empty dict;
    /// `_PyObject_GenericGetDict`, `Objects/dictobject.c` (3.11: `Objects/object.c`).
    pub(crate) shares_late_dict: bool,
    /// Instances of every made class are collectable; before, only if they have fields of their own;
    /// `type_new_alloc`, `Objects/typeobject.c`.
    pub(crate) always_collectable: bool,
    /// `__dict__` and `__weakref__` may be added to instances that vary in size, and slots to those of
    /// `tuple` ([gh-41779](https://github.com/python/cpython/issues/41779)).
    pub(crate) slots_after_items: bool,
    /// The error of a refused `__weakref__` slot names both possible reasons.
    pub(crate) weakref_error_names_itemsize: bool,
    /// A slot of the name of a class variable is an error; 2.7 drops the slot's descriptor.
    pub(crate) checks_class_variables: bool,
    /// Class statements put these names into the namespace before the slots are made, so that slots of
    /// that name conflict; `compiler_class`, `Python/compile.c`.
    pub(crate) class_variables: &'static [&'static str],
    /// Names of the namespace that are taken out of it before the slots are made; `type_new_set_ht_name` and
    /// `type_new_set_classcell`, `Objects/typeobject.c`.
    pub(crate) removed_before_slots: &'static [&'static str],
    /// `str` is bytes (2.7), so a `b` before a text says nothing and a name is ASCII.
    pub(crate) bytes_are_text: bool,
    /// What `@dataclass` can do.
    pub(crate) dataclass: DataclassRule,
    /// A refused assignment to `__class__` names the old class first (2.7); `same_slots_added`,
    /// `Objects/typeobject.c`.
    pub(crate) names_old_class_first: bool,
    /// Reading an unset slot says whose it is; `PyMember_GetOne`, `Python/structmember.c`.
    pub(crate) names_class_of_unset_slot: bool,
    /// Ends the message of a failed attribute store on an object without `__dict__`;
    /// `_PyObject_GenericSetAttrWithDict`, `Objects/object.c`.
    pub(crate) no_dict_hint: &'static str,
    /// Stands between the words `resolution` and `order` of a failed C3 merge; `set_mro_error`,
    /// `Objects/typeobject.c`.
    pub(crate) mro_gap: char,
    /// What a class statement puts before the text of an error; `build_class`, `Python/ceval.c` of 2.7.
    pub(crate) statement_prefix: &'static str,
    /// Who serves the requests.
    pub(crate) allocator: Allocator,
}

impl Abi {
    /// The row of a target.
    pub(crate) fn of(target: Target) -> Result<&'static Abi, TargetError> {
        let PyVersion { major, minor, patch } = target.version;
        let wanted = (major, minor, target.build.arch, target.build.free_threaded);
        TABLE
            .iter()
            .rev()
            .filter(|abi| abi.since <= patch)
            .find(|abi| (abi.major, abi.minor, abi.arch, abi.free_threaded) == wanted)
            .ok_or(TargetError::NotModelled { asked: target })
    }

    /// The known builds in the order of the table: version, architecture, free-threaded.
    pub(crate) fn known() -> impl Iterator<Item = &'static Abi> {
        TABLE.iter().filter(|abi| abi.since == 0)
    }

    /// The pre-header: two words in front of the GC header that hold a managed `__dict__` and `__weakref__`
    /// (`_PyType_PreHeaderSize`, `Include/internal/pycore_object.h`).
    pub(crate) fn pre_header(&self) -> u64 {
        2 * self.word
    }

    /// Bytes of the values of `n` shared names: the values, and from 3.11 the insertion order in a byte
    /// each with four (3.13) or two bytes of bookkeeping; `values_size_from_count` and `new_values`,
    /// `Objects/dictobject.c`.
    pub(crate) fn values(&self, n: u64) -> u64 {
        match (self.sharing, self.inline) {
            (Sharing::Never | Sharing::InOrder, _) => n * self.word,
            (_, InlineRule::Never) => (n + 2).next_multiple_of(self.word) + n * self.word,
            _ => (n + 1) * self.word + n.next_multiple_of(self.word),
        }
    }

    /// `set.__basicsize__`: six words, a table of eight entries, the list of weak references
    /// (`Include/cpython/setobject.h`).
    pub(crate) fn set(&self) -> u64 {
        self.object + (6 + 2 * SMALLEST_SET + 1) * self.word
    }

    /// Bytes of a dict object with its GC header, its tables apart.
    pub(crate) fn dict_object(&self) -> u64 {
        self.gc_head + self.dict
    }
}
