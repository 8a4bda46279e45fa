//! The command line, as text and as plain values.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

use crate::record_explain::Cost;

/// Tells what holds a Python process's memory, and which remedy will help.
///
/// Without a command it runs the main job: every workload on the recordings that the program carries, then the
/// verdict.
#[derive(Debug, Parser)]
#[command(name = "cpymem", version, about, long_about)]
pub struct Args {
    /// What to do; the main job if there is nothing.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Options of every command.
    #[command(flatten)]
    pub options: Options,
}

/// Options of every command.
#[derive(Clone, Copy, Debug, ClapArgs)]
pub struct Options {
    /// Print one JSON document instead of text.
    #[arg(long, global = true)]
    pub json: bool,
    /// Memory that an input may cost, such as 512M or 4G; by default it follows from the input's length.
    #[arg(long, global = true, value_name = "SIZE", value_parser = size)]
    pub max_memory: Option<u64>,
    /// Timed repeats of each measurement, of which the median is reported; 3 unless a trace is very long.
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub repeat: Option<u16>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run workloads: each makes a claim about memory, shows what was expected and seen, and can fail.
    #[command(args_conflicts_with_subcommands = true)]
    Bench {
        /// What else to measure.
        #[command(subcommand)]
        what: Option<Bench>,
        /// Which, and how.
        #[command(flatten)]
        run: Box<Run>,
    },
    /// Replay an allocation trace (PMTRACE 1) on several allocators.
    Replay {
        /// The trace, plain or gzip; - is standard input.
        file: OsString,
    },
    /// Tell what instances of Python classes cost, with and without slots, on every CPython version.
    Slots {
        /// A Python file, plain or gzip; - is standard input.
        #[arg(required_unless_present_any = ["attrs", "heap"], conflicts_with = "attrs")]
        file: Option<OsString>,
        /// Tell instead what slots would save in a heap dump (PYHEAP 1 or 2), class by class.
        #[arg(long, value_name = "DUMP", conflicts_with_all = ["file", "attrs", "count", "python"])]
        heap: Option<OsString>,
        /// Attributes of a class, in the order they are set.
        #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
        attrs: Vec<String>,
        /// The name of that class.
        #[arg(long, value_name = "NAME", default_value = "C", requires = "attrs")]
        name: String,
        /// That class has slots.
        #[arg(long, requires = "attrs")]
        slots: bool,
        /// Instances of each class.
        #[arg(long, value_name = "N", default_value_t = 1_000_000)]
        count: u64,
        /// Versions such as 3.12, 3.13t or 3.11-i386; all of 64 bits if there is none.
        #[arg(long, value_name = "V,...", value_delimiter = ',')]
        python: Vec<String>,
    },
    /// Tell what holds a process's memory and what to do, from heap dumps.
    ///
    /// Several dumps of one process, in the order they were made, show what grows.
    Explain {
        /// The dumps (PYHEAP 1 or 2), plain or gzip; - is standard input.
        #[arg(required = true)]
        files: Vec<OsString>,
        /// The failure that hurts most: remedies that do not risk it come first.
        #[arg(long, value_enum)]
        cost: Option<Cost>,
        /// Write the decision into a folder: finding.md, a program that shows the finding, a template of the change.
        #[arg(long, value_name = "DIR")]
        decision: Option<PathBuf>,
        /// Replace files of an earlier decision.
        #[arg(long, requires = "decision")]
        force: bool,
    },
    /// Print the program that makes heap dumps: one Python file, standard library only.
    Dump {
        /// Print it to standard output; its head tells how to use it.
        #[arg(long, required = true)]
        helper: bool,
    },
    /// Tell what is in a heap dump (PYHEAP 1 or 2): types or owners, what they retain, what is garbage.
    Heap {
        /// The dump, plain or gzip; - is standard input.
        file: OsString,
        /// Show owners: who holds the objects, by names.
        #[arg(long, value_name = "WHAT", value_enum, default_value_t = By::Type)]
        by: By,
        /// Rebuild the dump with real objects instead, and let the real collector find the garbage.
        #[arg(long, conflicts_with = "by")]
        rebuild: bool,
    },
    /// Tell why objects are there: the shortest ways of names from a root.
    Why {
        /// The dump, plain or gzip; - is standard input.
        file: OsString,
        /// A type, whole or its last name; the name of a module, class or function; or the number of an object.
        target: String,
        /// Objects to tell about: of each owner those that retain most.
        #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=1000))]
        objects: u16,
        /// Ways to each object.
        #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=100))]
        ways: u16,
    },
    /// Tell which types keep arenas and pools that are nearly empty.
    Pins {
        /// The dump, plain or gzip; - is standard input.
        file: OsString,
        /// List every pool with its types in the document.
        #[arg(long)]
        pools: bool,
    },
    /// Tell which references nobody reports, and which extension types may hold them.
    Audit {
        /// The dump, plain or gzip; - is standard input.
        file: OsString,
    },
    /// Tell which strings are there more than once.
    Dups {
        /// The dump, made with hashes of strings; plain or gzip; - is standard input.
        file: OsString,
    },
    /// Tell who holds more than before, from two or more heap dumps of one process.
    Diff {
        /// The dumps, oldest first.
        #[arg(required = true, num_args = 2..)]
        files: Vec<OsString>,
    },
}

/// How `heap` shows objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// By type.
    Type,
    /// By the path of names that holds them.
    Owner,
}

/// Options of `bench` without a subcommand.
#[derive(Clone, Debug, Default, ClapArgs)]
pub struct Run {
    /// Names of workloads; all of them if there is none.
    pub workloads: Vec<String>,
    /// A page for each workload: what it shows, the real case that it stands for, what it costs.
    #[arg(long)]
    pub list: bool,
    /// Only workloads whose names contain this; may be given several times.
    #[arg(long, value_name = "TEXT,...", value_delimiter = ',')]
    pub filter: Vec<String>,
    /// How, and where to.
    #[command(flatten)]
    pub how: How,
}

/// Options of a crate's suite of patterns.
#[derive(Clone, Debug, Default, ClapArgs)]
pub struct Suite {
    /// Names of patterns; all of them if there is none.
    pub patterns: Vec<String>,
    /// List the patterns and do nothing.
    #[arg(long)]
    pub list: bool,
    /// Only patterns whose names contain this; may be given several times.
    #[arg(long, value_name = "TEXT,...", value_delimiter = ',')]
    pub filter: Vec<String>,
    /// Only subjects whose names contain this; all of them if there is none.
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub only: Vec<String>,
    /// How, and where to.
    #[command(flatten)]
    pub how: How,
}

/// How comparisons are made, and where their results go.
#[derive(Clone, Debug, Default, ClapArgs)]
pub struct How {
    /// How much is done; 1 is what the page or the pattern says.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = factor)]
    pub scale: f64,
    /// The seed of every random choice.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// A CPython that takes part; may be given several times.
    #[arg(long, value_name = "PROGRAM")]
    pub python: Vec<PathBuf>,
    /// Save the run to a file that does not exist yet.
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
    /// Compare with a saved run, and tell which differences are real.
    #[arg(long, value_name = "FILE")]
    pub against: Option<OsString>,
    /// Print Markdown.
    #[arg(long, conflicts_with = "json")]
    pub markdown: bool,
    /// Write a page of the run, with pictures, to a file that does not exist yet.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Let --save and --html replace a file.
    #[arg(long)]
    pub force: bool,
    /// Make so many turns for a run that has several processes, and print them for it.
    #[arg(long, hide = true, value_name = "TURNS")]
    pub part: Option<usize>,
    /// Of these workloads alone.
    #[arg(long, hide = true, requires = "part", value_name = "NAME,...", value_delimiter = ',')]
    pub part_of: Vec<String>,
}

/// What `bench` measures beside the workloads.
#[derive(Debug, Subcommand)]
pub enum Bench {
    /// Compare allocators: patterns and recorded programs, in one process, in turn.
    ///
    /// Every allocator is called through the same table of functions, and every block's content is checked. The
    /// allocators written in C and C++ need the cargo feature `rivals`; they must be built without debug
    /// information in the profile, or they are not optimised.
    Allocator(Allocator),
    /// Compare counted pointers and interners on patterns, in turn; with the cargo feature `rivals` those of other crates, too.
    Refcount(Suite),
    /// Compare cycle collectors on patterns, in turn; with the cargo feature `rivals` those of other crates, too.
    Cyclegc(Suite),
    /// Compare layouts of objects and dicts on patterns, in turn, with what a Rust program would take instead.
    Slots(Suite),
    /// Compare what allocators keep resident, each in a process of its own.
    ///
    /// Traces are replayed whole (the peak, and what stays), and once more with the calls alone that CPython's
    /// pymalloc serves from its arenas, against those arenas at every mark. Then blocks of 16 to 256 bytes.
    Memory(Memory),
    /// Count the instructions of an operation while more and more blocks live; needs valgrind.
    Growth(Growth),
    /// One allocator, one measurement, in this process.
    #[command(hide = true)]
    OneAllocator(OneAllocator),
}

/// Options of `bench memory`.
#[derive(Debug, ClapArgs)]
pub struct Memory {
    /// Traces (PMTRACE 1).
    pub traces: Vec<OsString>,
    /// Only these allocators; all of them if there is none.
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub only: Vec<String>,
    /// A Python library, such as libpython3.13.so, whose own pymalloc takes part.
    #[arg(long, value_name = "FILE")]
    pub libpython: Option<PathBuf>,
    /// Live blocks of 16 to 256 bytes.
    #[arg(long, value_name = "N", default_value_t = 2_000_000)]
    pub blocks: usize,
}

/// Options of `bench growth`.
#[derive(Debug, ClapArgs)]
pub struct Growth {
    /// Only these allocators; all of them if there is none.
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub only: Vec<String>,
    /// A Python library, such as libpython3.13.so, whose own pymalloc takes part.
    #[arg(long, value_name = "FILE")]
    pub libpython: Option<PathBuf>,
    /// The most blocks that live at once.
    #[arg(long, value_name = "N", default_value_t = 10_000_000)]
    pub most: usize,
}

/// What the program asks itself for.
#[derive(Debug, ClapArgs)]
pub struct OneAllocator {
    /// The allocator.
    pub allocator: String,
    /// Replay a trace.
    #[arg(long)]
    pub replay: Option<OsString>,
    /// Only what pymalloc serves from its arenas.
    #[arg(long)]
    pub arenas_only: bool,
    /// Make so many blocks of uniform sizes.
    #[arg(long)]
    pub uniform: Option<usize>,
    /// Keep so many blocks of one size.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pub live: u32,
    /// Replace so many of them.
    #[arg(long, default_value_t = 0)]
    pub turns: usize,
    /// The Python library.
    #[arg(long)]
    pub libpython: Option<PathBuf>,
}

/// Options of `bench allocator`.
#[derive(Debug, ClapArgs)]
pub struct Allocator {
    /// Traces (PMTRACE 1) to replay; the bundled ones if there is none.
    pub traces: Vec<OsString>,
    /// Only patterns and traces whose names contain this, or are it after a '='; may be given several times.
    #[arg(long, value_name = "TEXT,...", value_delimiter = ',')]
    pub filter: Vec<String>,
    /// Only these allocators; all of them if there is none.
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Turns in which every allocator runs once.
    #[arg(long, value_name = "N", default_value_t = 21, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub alternations: u16,
    /// How much of each pattern is done; 1 is the whole.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    pub scale: f64,
    /// A Python library, such as libpython3.13.so, whose own pymalloc takes part.
    #[arg(long, value_name = "FILE")]
    pub libpython: Option<PathBuf>,
    /// List the patterns and do nothing.
    #[arg(long)]
    pub list: bool,
}

/// A scale.
fn factor(text: &str) -> Result<f64, String> {
    let factor: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.001..=100.0).contains(&factor) { Ok(factor) } else { Err("not between 0.001 and 100".to_owned()) }
}

/// Bytes from a number with an optional unit of 1024: K, M, G, T.
fn size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "" | "B" => 0,
        "K" | "KB" | "KIB" => 10,
        "M" | "MB" | "MIB" => 20,
        "G" | "GB" | "GIB" => 30,
        "T" | "TB" | "TIB" => 40,
        unit => return Err(format!("unknown unit '{unit}'; K, M, G and T are known")),
    };
    let number: u64 = digits.trim().parse().map_err(|_| "not a number of bytes".to_owned())?;
    number.checked_mul(1 << shift).ok_or_else(|| "too large".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn sizes_have_units_of_1024() {
        assert_eq!(
            [size("7"), size("2K"), size("3 MiB"), size("1g")].map(Result::unwrap),
            [7, 2048, 3 << 20, 1 << 30]
        );
        for wrong in ["", "x", "1X", "-1", "1.5G", "99999999T", "18446744073709551616"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
