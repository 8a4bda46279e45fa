//! The facts that differ between CPython versions, one row each.
//!
//! A new version is a new row of [`TABLE`]; nothing else in the model names a version. All sizes are bytes.

use super::target::{Arch, PyVersion, Target, TargetError};

/// Bytes of a pointer, of `Py_ssize_t` and of a slot.
pub(crate) const WORD: u64 = 8;

/// Two words in front of the GC header that hold a managed `__dict__` and `__weakref__`
/// (`_PyType_PreHeaderSize`, `Include/internal/pycore_object.h`).
pub(crate) const PRE_HEADER: u64 = 2 * WORD;

/// Where a class keeps the `__weakref__` of its instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WeakrefHome {
    /// A word at the end of the instance (`type_new_descriptors`, `Objects/typeobject.c`).
    Word,
    /// The pre-header: `MANAGED_WEAKREF_OFFSET` in `Include/internal/pycore_object.h`.
    PreHeader,
}

/// Where the attribute values of a plain instance live as long as it has no dict object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ValuesHome {
    /// A block of their own, made by `object.__new__` (`_PyObject_InitializeDict`, `Objects/dictobject.c`).
    Separate,
    /// At the end of the instance, if it is as big as a bare object
    /// (`_PyObject_InitInlineValues`, `Objects/dictobject.c`).
    Inline,
}

/// The layout facts of one CPython minor version on x86-64 with the GIL.
#[derive(Debug)]
pub(crate) struct Abi {
    pub(crate) major: u8,
    pub(crate) minor: u8,
    /// `sizeof(PyObject)`, `Include/object.h`.
    pub(crate) object: u64,
    /// `sizeof(PyVarObject)`, `Include/object.h`.
    pub(crate) var_object: u64,
    /// `sizeof(PyGC_Head)`, in front of every collectable object; `Include/internal/pycore_gc.h`.
    pub(crate) gc_head: u64,
    /// `sizeof(PyDictObject)`, `Include/cpython/dictobject.h`.
    pub(crate) dict: u64,
    /// `sizeof(PyDictKeysObject)` without its tables, `Include/internal/pycore_dict.h`.
    pub(crate) keys_header: u64,
    /// An entry of a table with string keys only: `sizeof(PyDictUnicodeEntry)`, same file.
    pub(crate) string_entry: u64,
    /// An entry of a table with any keys: `sizeof(PyDictKeyEntry)`, same file.
    pub(crate) general_entry: u64,
    /// Names a class can share among its instances: `SHARED_KEYS_MAX_SIZE`, same file.
    pub(crate) shared_keys: u64,
    /// log2 of the index table of shared keys: `NEXT_LOG2_SHARED_KEYS_MAX_SIZE`, same file.
    pub(crate) shared_log2: u32,
    /// `tuple.__basicsize__`, `Include/cpython/tupleobject.h`.
    pub(crate) tuple: u64,
    /// `list.__basicsize__`, `Include/cpython/listobject.h`.
    pub(crate) list: u64,
    /// `int.__itemsize__`: a digit of 30 bits, `Include/cpython/longintrepr.h`.
    pub(crate) int_digit: u64,
    /// `sizeof(PyASCIIObject)`, the head of an exact ASCII `str`; `Include/cpython/unicodeobject.h`.
    pub(crate) ascii: u64,
    /// `str.__basicsize__`, same file. 3.12 removed `wstr` and `wstr_length` (PEP 623).
    pub(crate) string: u64,
    /// `Exception.__basicsize__`, `Include/cpython/pyerrors.h`.
    pub(crate) exception: u64,
    /// A new object's values are as many as the shared keys hold *before* (true) or *after* (false) the
    /// object has lowered their reserve by one; `_PyObject_InitializeDict`, `_PyType_AllocNoTrack`.
    pub(crate) sized_before_shrink: bool,
    /// Where attribute values live.
    pub(crate) values: ValuesHome,
    /// Where `__weakref__` lives.
    pub(crate) weakref: WeakrefHome,
    /// A managed dict has `__dictoffset__` -1; before, it told the distance to the pre-header;
    /// `type_new_descriptors`, `Objects/typeobject.c`.
    pub(crate) dictoffset_is_minus_one: bool,
    /// Classes with a variable part can have their dict managed, too; same function.
    pub(crate) manages_variable: bool,
    /// An instance without values gets shared ones with its dict; else an empty dict;
    /// `_PyObject_GenericGetDict`, `Objects/dictobject.c` (3.11: `Objects/object.c`).
    pub(crate) shares_late_dict: bool,
    /// `d.update(other)` of an empty `d` may take over a copy of the other's table even where `d` shares
    /// its keys; `dict_merge`, `Objects/dictobject.c`.
    pub(crate) update_replaces_values: bool,
    /// `int.__sizeof__` counts the fields a subclass adds; `int___sizeof___impl`, `Objects/longobject.c`.
    pub(crate) int_sizeof_counts_fields: bool,
    /// Class statements put these names into the namespace before the slots are made, so that slots of
    /// that name conflict; `compiler_class`, `Python/compile.c`.
    pub(crate) class_variables: &'static [&'static str],
    /// Ends the message of a failed attribute store on an object without `__dict__`;
    /// `_PyObject_GenericSetAttrWithDict`, `Objects/object.c`.
    pub(crate) no_dict_hint: &'static str,
    /// Stands between the words `resolution` and `order` of a failed C3 merge; `set_mro_error`,
    /// `Objects/typeobject.c`.
    pub(crate) mro_gap: char,
}

const V3_11: Abi = Abi {
    major: 3,
    minor: 11,
    object: 16,
    var_object: 24,
    gc_head: 16,
    dict: 48,
    keys_header: 32,
    string_entry: 16,
    general_entry: 24,
    shared_keys: 30,
    shared_log2: 6,
    tuple: 24,
    list: 40,
    int_digit: 4,
    ascii: 48,
    string: 80,
    exception: 72,
    sized_before_shrink: false,
    values: ValuesHome::Separate,
    weakref: WeakrefHome::Word,
    dictoffset_is_minus_one: false,
    manages_variable: false,
    shares_late_dict: false,
    update_replaces_values: true,
    int_sizeof_counts_fields: false,
    class_variables: &["__module__", "__slots__"],
    no_dict_hint: "",
    mro_gap: '\n',
};

const V3_12: Abi = Abi {
    minor: 12,
    ascii: 40,
    string: 64,
    weakref: WeakrefHome::PreHeader,
    dictoffset_is_minus_one: true,
    manages_variable: true,
    shares_late_dict: true,
    int_sizeof_counts_fields: true,
    ..V3_11
};

const V3_13: Abi = Abi {
    minor: 13,
    sized_before_shrink: true,
    values: ValuesHome::Inline,
    update_replaces_values: false,
    class_variables: &["__module__", "__slots__", "__static_attributes__", "__firstlineno__"],
    no_dict_hint: " and no __dict__ for setting new attributes",
    mro_gap: ' ',
    ..V3_12
};

/// The known versions. Patch levels of a minor version share a row; measured were 3.11.7, 3.12.1 and 3.13.0.
static TABLE: [Abi; 3] = [V3_11, V3_12, V3_13];

impl Abi {
    /// The row of a target.
    pub(crate) fn of(target: Target) -> Result<&'static Abi, TargetError> {
        let PyVersion { major, minor, .. } = target.version;
        let modelled = target.build.arch == Arch::X86_64 && !target.build.free_threaded;
        TABLE
            .iter()
            .find(|abi| modelled && (abi.major, abi.minor) == (major, minor))
            .ok_or(TargetError::NotModelled { asked: target })
    }

    /// The known minor versions, as text.
    pub(crate) fn known() -> impl Iterator<Item = String> {
        TABLE.iter().map(|abi| format!("{}.{}", abi.major, abi.minor))
    }

    /// Bytes of the values of `n` shared names: the values, the insertion order in a byte each, and
    /// four (3.13) or two bytes of bookkeeping; `values_size_from_count` and `new_values`,
    /// `Objects/dictobject.c`.
    pub(crate) fn values(&self, n: u64) -> u64 {
        match self.values {
            ValuesHome::Separate => (n + 2).next_multiple_of(WORD) + n * WORD,
            ValuesHome::Inline => (n + 1) * WORD + n.next_multiple_of(WORD),
        }
    }

    /// Bytes of a dict object with its GC header, its tables apart.
    pub(crate) fn dict_object(&self) -> u64 {
        self.gc_head + self.dict
    }
}
