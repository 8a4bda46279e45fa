//! The built-in classes that classes derive from.

/// A built-in class to derive from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Builtin {
    /// `object`
    Object,
    /// `list`
    List,
    /// `dict`
    Dict,
    /// `int`
    Int,
    /// `tuple`
    Tuple,
    /// `str`
    Str,
    /// `Exception`
    Exception,
    /// `float`
    Float,
    /// `bytes`; in 2.7 another name of `str`
    Bytes,
    /// `set`
    Set,
    /// `frozenset`
    FrozenSet,
}

impl Builtin {
    /// All of them.
    pub const ALL: [Builtin; 11] = [
        Builtin::Object,
        Builtin::List,
        Builtin::Dict,
        Builtin::Int,
        Builtin::Tuple,
        Builtin::Str,
        Builtin::Exception,
        Builtin::Float,
        Builtin::Bytes,
        Builtin::Set,
        Builtin::FrozenSet,
    ];

    /// Its name in Python.
    pub fn name(self) -> &'static str {
        match self {
            Builtin::Object => "object",
            Builtin::List => "list",
            Builtin::Dict => "dict",
            Builtin::Int => "int",
            Builtin::Tuple => "tuple",
            Builtin::Str => "str",
            Builtin::Exception => "Exception",
            Builtin::Float => "float",
            Builtin::Bytes => "bytes",
            Builtin::Set => "set",
            Builtin::FrozenSet => "frozenset",
        }
    }

    /// Whether its instances have an attribute of this name, in some version. Names with two underscores around
    /// them are left out.
    pub(crate) fn defines(self, name: &str) -> bool {
        let names: &[&str] = match self {
            Builtin::Object => &[],
            Builtin::List => &[
                "append", "clear", "copy", "count", "extend", "index", "insert", "pop", "remove", "reverse",
                "sort",
            ],
            Builtin::Dict => &[
                "clear",
                "copy",
                "fromkeys",
                "get",
                "has_key",
                "items",
                "iteritems",
                "iterkeys",
                "itervalues",
                "keys",
                "pop",
                "popitem",
                "setdefault",
                "update",
                "values",
                "viewitems",
                "viewkeys",
                "viewvalues",
            ],
            Builtin::Int => &[
                "as_integer_ratio",
                "bit_count",
                "bit_length",
                "conjugate",
                "denominator",
                "from_bytes",
                "imag",
                "is_integer",
                "numerator",
                "real",
                "to_bytes",
            ],
            Builtin::Float => &[
                "as_integer_ratio",
                "conjugate",
                "from_number",
                "fromhex",
                "hex",
                "imag",
                "is_integer",
                "real",
            ],
            Builtin::Tuple => &["count", "index"],
            Builtin::Set | Builtin::FrozenSet => &[
                "add",
                "clear",
                "copy",
                "difference",
                "difference_update",
                "discard",
                "intersection",
                "intersection_update",
                "isdisjoint",
                "issubset",
                "issuperset",
                "pop",
                "remove",
                "symmetric_difference",
                "symmetric_difference_update",
                "union",
                "update",
            ],
            Builtin::Exception => &["add_note", "args", "message", "with_traceback"],
            Builtin::Str | Builtin::Bytes => &[
                "capitalize",
                "casefold",
                "center",
                "count",
                "decode",
                "encode",
                "endswith",
                "expandtabs",
                "find",
                "format",
                "format_map",
                "fromhex",
                "hex",
                "index",
                "isalnum",
                "isalpha",
                "isascii",
                "isdecimal",
                "isdigit",
                "isidentifier",
                "islower",
                "isnumeric",
                "isprintable",
                "isspace",
                "istitle",
                "isupper",
                "join",
                "ljust",
                "lower",
                "lstrip",
                "maketrans",
                "partition",
                "removeprefix",
                "removesuffix",
                "replace",
                "rfind",
                "rindex",
                "rjust",
                "rpartition",
                "rsplit",
                "rstrip",
                "split",
                "splitlines",
                "startswith",
                "strip",
                "swapcase",
                "title",
                "translate",
                "upper",
                "zfill",
            ],
        };
        names.contains(&name)
    }
}
