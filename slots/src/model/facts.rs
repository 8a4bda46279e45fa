//! How builds differ: the facts of each version and architecture, one constant row a build.
//!
//! Sizes of CPython's structures are sums of words and a few fields of fixed size, so a row is computed, at
//! compile time, from the word of its architecture and what its version has; the sums stand in [`row`].

use super::abi::{
    Abi, Allocator, DataclassRule, Growth, InlineRule, ListCopy, Rounding, SetRule, Sharing, WeakrefHome,
};
use super::target::Arch;

/// A minor version, and the builds of it that the table has.
struct Version {
    major: u8,
    minor: u8,
    since: u8,
    i386: bool,
    wasm32: bool,
    free_threaded: bool,
}

const fn version(major: u8, minor: u8, i386: bool, wasm32: bool, free_threaded: bool) -> Version {
    Version { major, minor, since: 0, i386, wasm32, free_threaded }
}

/// From this patch level of 3.13 on sizes of tables are known to be rounded as in 3.14.
const ROUNDS_RIGHT: u8 = 15;

const VERSIONS: [Version; 12] = [
    version(2, 7, true, false, false),
    version(3, 6, false, false, false),
    version(3, 7, false, false, false),
    version(3, 8, true, false, false),
    version(3, 9, true, false, false),
    version(3, 10, true, true, false),
    version(3, 11, true, true, false),
    version(3, 12, true, true, false),
    version(3, 13, true, true, true),
    Version { since: ROUNDS_RIGHT, ..version(3, 13, true, true, true) },
    version(3, 14, true, true, false),
    version(3, 15, true, false, false),
];

const ROWS: usize = {
    let (mut rows, mut i) = (0, 0);
    while i < VERSIONS.len() {
        let it = &VERSIONS[i];
        rows += 1 + it.i386 as usize + it.wasm32 as usize + it.free_threaded as usize;
        i += 1;
    }
    rows
};

/// The known builds. Patch levels of a minor version share a row, but for those of 3.13.
pub(super) static TABLE: [Abi; ROWS] = table();

const fn table() -> [Abi; ROWS] {
    const FIRST: Abi = row(2, 7, 0, Arch::X86_64, false);
    let mut rows = [FIRST; ROWS];
    let (mut next, mut i) = (0, 0);
    while i < VERSIONS.len() {
        let Version { major, minor, since, i386, wasm32, free_threaded } = VERSIONS[i];
        rows[next] = row(major, minor, since, Arch::X86_64, false);
        next += 1;
        if i386 {
            rows[next] = row(major, minor, since, Arch::I386, false);
            next += 1;
        }
        if wasm32 {
            rows[next] = row(major, minor, since, Arch::Wasm32, false);
            next += 1;
        }
        if free_threaded {
            rows[next] = row(major, minor, since, Arch::X86_64, true);
            next += 1;
        }
        i += 1;
    }
    rows
}

/// The facts of a build; the fields' docs name the sources.
const fn row(major: u8, minor: u8, since: u8, arch: Arch, free_threaded: bool) -> Abi {
    let python2 = major == 2;
    // 2.7 is older than every 3.x.
    let age = if python2 { 0 } else { minor };
    let narrow = !matches!(arch, Arch::X86_64);
    let word: u64 = if narrow { 4 } else { 8 };
    // Type and count; without the GIL also the owner, flags and a second count.
    let object = if free_threaded { 4 * word } else { 2 * word };
    let var_object = object + word;
    let gc_head = match age {
        _ if free_threaded => 0,
        8.. => 2 * word,
        _ if narrow => 12,
        _ => 32, // three words in a union with a long double
    };
    let hash_in_tuple = if age >= 14 { word } else { 0 };
    let wide_character_form = if age < 12 { word } else { 0 };
    let ascii = (object + 2 * word + 4 + wide_character_form).next_multiple_of(word);
    let string = if python2 {
        object + 2 * word + 4 + 1 // length, hash, state, NUL
    } else {
        ascii + 3 * word + wide_character_form
    };
    let exception_fields = match age {
        0 => 3,
        1..11 => 6,
        _ => 7,
    };
    // 3.11 added the vectorcall, the free-threaded build a lock.
    let weakref_fields = if free_threaded {
        7
    } else if age >= 11 {
        6
    } else {
        5
    };
    // 8 aligned bytes of version tag, except on wasm32 where they need a gap.
    let tag = if matches!(arch, Arch::Wasm32) { 12 } else { 8 };
    let sharing = match age {
        0 => Sharing::Never,
        1..11 => Sharing::InOrder,
        _ => Sharing::AnyOrder,
    };
    let big_arenas = age >= 10 && !narrow;
    Abi {
        major,
        minor,
        since,
        arch,
        free_threaded,
        word,
        object,
        var_object,
        gc_head,
        dict: if python2 { if narrow { 124 } else { 248 } } else { object + 3 * word + tag },
        keys_header: if age >= 11 { 3 * word + 8 } else { 5 * word },
        string_entry: if age >= 11 { 2 * word } else { 3 * word },
        general_entry: 3 * word,
        sharing,
        shared_keys: if age >= 11 { 30 } else { 5 },
        shared_log2: if age >= 11 { 6 } else { 3 },
        growth: match age {
            0 => Growth::Quadruple,
            6 => Growth::DoubleAndHalf,
            _ => Growth::Triple,
        },
        rounding: match age {
            0 => Rounding::Above,
            10..13 => Rounding::BitTrick,
            13 if since < ROUNDS_RIGHT => Rounding::BitTrick,
            _ => Rounding::Smallest,
        },
        set_is_full: match age {
            0 => SetRule::TwoThirdsOfPlaces,
            6 => SetRule::TwoThirdsOfMask,
            _ => SetRule::ThreeFifthsOfMask,
        },
        empty_frozenset_is_made_once: age < 10,
        single_bytes_are_made_once: python2 || age >= 15,
        empty_dict_has_table: age == 6 || age == 7,
        empty_copy_has_table: 0 < age && age < 10,
        dict_subclass_has_table: 0 < age && age < 10,
        parks_tables: age >= 7,
        update_clones: age >= 10,
        update_replaces_values: age >= 10 && age < 13,
        tuple: var_object + hash_in_tuple,
        list: var_object + 2 * word,
        list_items_header: if free_threaded { word } else { 0 },
        list_grows_by_fours: age >= 9,
        list_copy: match age {
            0..8 => ListCopy::OverAllocates,
            8..10 => ListCopy::Exact,
            _ => ListCopy::Even,
        },
        longest_exact_display: if age >= 10 { 30 } else { u64::MAX },
        int_is_fixed: python2,
        int_digit: if narrow && age < 11 { 2 } else { 4 },
        zero_has_a_digit: age >= 11,
        int_sizeof_counts_fields: age >= 12,
        ascii,
        string,
        characters_have_utf8: age >= 12,
        bytes: if python2 { string } else { var_object + word + 1 },
        string_has_items: python2,
        small_ints: (-5, if age >= 15 { 1024 } else { 256 }),
        exception: object + exception_fields * word,
        weakref_object: gc_head + object + weakref_fields * word,
        sized_before_shrink: age >= 13,
        separate_values: age == 11 || age == 12,
        inline: match age {
            13 => InlineRule::BareObjects,
            14.. => InlineRule::FixedSize,
            _ => InlineRule::Never,
        },
        static_attributes: age >= 14,
        weakref: if age >= 12 { WeakrefHome::PreHeader } else { WeakrefHome::Word },
        dictoffset_is_minus_one: age >= 12,
        manages_dict: age >= 11,
        manages_variable: age >= 12,
        shares_late_dict: age != 11,
        always_collectable: age >= 8,
        slots_after_items: age >= 15,
        weakref_error_names_itemsize: age < 12,
        checks_class_variables: !python2,
        class_variables: match age {
            0 => &[],
            6 => &["__module__", "__slots__", "__qualname__"],
            7..13 => &["__module__", "__slots__"],
            _ => &["__module__", "__slots__", "__static_attributes__", "__firstlineno__"],
        },
        removed_before_slots: if age >= 7 { &["__qualname__", "__classcell__"] } else { &[] },
        bytes_are_text: python2,
        dataclass: match age {
            0..7 => DataclassRule::Missing,
            7..10 => DataclassRule::WithoutSlots,
            10 => DataclassRule::RepeatsInherited,
            11..13 => DataclassRule::SkipsInherited,
            _ => DataclassRule::SkipsWeakref,
        },
        names_old_class_first: python2,
        names_class_of_unset_slot: age >= 10,
        no_dict_hint: if age >= 13 { " and no __dict__ for setting new attributes" } else { "" },
        mro_gap: if age >= 13 { ' ' } else { '\n' },
        statement_prefix: if python2 { "Error when calling the metaclass bases\n    " } else { "" },
        allocator: if free_threaded {
            Allocator::Mimalloc
        } else {
            Allocator::Pymalloc {
                word,
                pool: if big_arenas { 16 << 10 } else { 4 << 10 },
                arena: if big_arenas { 1 << 20 } else { 256 << 10 },
            }
        },
    }
}
