//! Where and with what a run was made.

use std::{env, fs};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Operating system and architecture, such as `linux x86_64`.
    pub system: String,
    /// The kernel's release; null where it does not tell.
    pub kernel: Option<String>,
    /// The processor's name; null where the system does not tell.
    pub processor: Option<String>,
    /// Threads that can run at once.
    pub threads: usize,
    /// Memory; null where the system does not tell.
    pub memory_bytes: Option<u64>,
}

/// The program that measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Build {
    /// The version of this crate.
    pub version: String,
    /// Whether it was optimised and without debug assertions.
    pub release: bool,
    /// Whether the rivals are part of it.
    pub rivals: bool,
    /// SHA-256 of the program's file; null if it cannot be read.
    pub sha256: Option<String>,
}

impl Machine {
    /// This one.
    pub fn here() -> Machine {
        let first = |file: &str, field: &str| -> Option<String> {
            let text = fs::read_to_string(file).ok()?;
            let line = text.lines().find(|line| line.starts_with(field))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let kib = |text: String| text.strip_suffix("kB")?.trim().parse::<u64>().ok();
        Machine {
            system: format!("{} {}", env::consts::OS, env::consts::ARCH),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease").ok().map(|text| text.trim().to_owned()),
            processor: first("/proc/cpuinfo", "model name"),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: first("/proc/meminfo", "MemTotal").and_then(kib).map(|kib| kib * 1024),
        }
    }
}

/// Nanoseconds that this thread ran, and that it could have run but waited for a processor; `None` where the kernel does
/// not tell.
pub(super) fn ran_and_waited() -> Option<(u64, u64)> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let mut numbers = text.split_whitespace().map_while(|number| number.parse().ok());
    Some((numbers.next()?, numbers.next()?))
}

impl Build {
    /// This one.
    pub fn this() -> Build {
        let program = env::current_exe().and_then(fs::read).ok();
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        Build {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            release: !cfg!(debug_assertions),
            rivals: cfg!(feature = "rivals"),
            sha256: program.map(|bytes| hex(&Sha256::digest(&bytes))),
        }
    }
}
