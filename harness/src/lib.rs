//! cpymem: tells what holds a Python process's memory, from recorded allocation traces and heap dumps.

pub mod allocators;
pub mod args;
pub mod budget;
pub mod classes;
pub mod command;
pub mod dumper;
pub mod error;
pub mod explain;
pub mod heap;
pub mod input;
pub mod lines;
pub mod profiles;
pub mod progress;
pub mod pymalloc;
pub mod questions;
pub mod rebuild;
pub mod record;
pub mod record_classes;
pub mod record_explain;
pub mod replay;
pub mod report;
pub mod text;
pub mod trace;
pub mod units;
pub mod verdict;
pub mod workloads;
