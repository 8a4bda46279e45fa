//! CPythons that take part: each runs a workload's script in a process of its own and is asked for one turn at a
//! time, so that it alternates with the other subjects.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use cpymem_slots::model::{ClassLayout, Target};
use serde::{Deserialize, Serialize};

use super::record::Role;
use super::{Failure, Lane, Turn};

/// An interpreter that was asked what it is.
#[derive(Clone, Debug)]
pub struct Interpreter {
    path: PathBuf,
    /// As it calls itself: `3.13.0`, with a `t` if it has no global lock.
    label: String,
    version: (u8, u8),
}

const IDENTITY: &str = "
import json, platform, sys, sysconfig
print(json.dumps({'implementation': platform.python_implementation(), 'version': list(sys.version_info[:3]),
                  'free_threaded': bool(sysconfig.get_config_var('Py_GIL_DISABLED'))}))
";
const PRELUDE: &str = include_str!("scripts/prelude.py");
const LOOP: &str = include_str!("scripts/loop.py");

impl Interpreter {
    /// Asks the program at `path` what it is.
    ///
    /// # Errors
    /// A sentence if it cannot be started or is no CPython.
    pub fn ask(path: &Path) -> Result<Interpreter, String> {
        #[derive(Deserialize)]
        struct Identity {
            implementation: String,
            version: (u8, u8, u8),
            free_threaded: bool,
        }
        let fail = |what: &str| format!("{}: {what}", path.display());
        let output = command(path)
            .arg("-c")
            .arg(IDENTITY)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| fail(&format!("cannot be started: {error}")))?;
        let identity: Identity = serde_json::from_slice(&output.stdout)
            .map_err(|_| fail("is no Python: it does not say its version"))?;
        if identity.implementation != "CPython" {
            return Err(fail(&format!("is {}, no CPython", identity.implementation)));
        }
        let (major, minor, micro) = identity.version;
        let free_threaded = if identity.free_threaded { "t" } else { "" };
        Ok(Interpreter {
            path: path.to_owned(),
            label: format!("{major}.{minor}.{micro}{free_threaded}"),
            version: (major, minor),
        })
    }

    /// The program.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The name in tables.
    pub fn name(&self) -> String {
        format!("CPython {}", self.label)
    }

    /// Major and minor version.
    pub fn version(&self) -> (u8, u8) {
        self.version
    }

    /// Whether it is a build without the global lock.
    pub fn free_threaded(&self) -> bool {
        self.label.ends_with('t')
    }

    /// What the layout model calls it; `None` if the model does not know it.
    pub fn target(&self) -> Option<Target> {
        let target: Target = self.label.parse().ok()?;
        ClassLayout::object(target).is_ok().then_some(target)
    }

    /// Runs a script once and gives what it printed.
    ///
    /// # Errors
    /// With the last line of what it says on standard error, if it fails.
    pub fn run(&self, script: &str, arguments: &[&str]) -> Result<String, Failure> {
        let fail = |what: &dyn std::fmt::Display| Failure::Plan(format!("{}: {what}", self.name()));
        let output = command(&self.path)
            .arg("-c")
            .arg(script)
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| fail(&error))?;
        if !output.status.success() {
            return Err(fail(&last_line(&String::from_utf8_lossy(&output.stderr))));
        }
        String::from_utf8(output.stdout).map_err(|_| fail(&"what it printed is no text"))
    }

    /// A lane that runs a script: `turn(setting)` once each turn.
    ///
    /// # Errors
    /// If the interpreter cannot be started.
    pub fn lane<'a>(&self, script: &str, setting: &impl Serialize) -> Result<Lane<'a>, Failure> {
        let mut process = Process::start(self, script, setting, &[])?;
        Ok(Lane::fallible(&self.name(), Role::Python, move |turn| {
            process.turn()?.record(turn);
            Ok(())
        }))
    }
}

/// The last line that says something.
fn last_line(text: &str) -> String {
    text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it ended without a word").to_owned()
}

/// The program with an environment that changes nothing: the same hashes each time, no user's site packages.
fn command(path: &Path) -> Command {
    let mut command = Command::new(path);
    command
        .env_clear()
        .env("PYTHONHASHSEED", "0")
        .env("PYTHONNOUSERSITE", "1")
        .env("PYTHONIOENCODING", "utf-8");
    command
}

/// A script in an interpreter, waiting for its next turn.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

/// What a script says of a turn.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Answer {
    /// Nanoseconds.
    pub times: Vec<(String, f64)>,
    /// Numbers that are the same in every turn; null if this version cannot tell.
    pub counts: Vec<(String, Option<u64>)>,
    /// Bytes in which the machine has a part.
    pub bytes: Vec<(String, Option<u64>)>,
    /// Other numbers in which the machine has a part.
    pub numbers: Vec<(String, Option<f64>)>,
    /// Nanoseconds that are no time of an operation.
    pub pauses: Vec<(String, f64)>,
}

impl Answer {
    /// A count that the script gave.
    pub fn count(&self, name: &str) -> Option<u64> {
        self.counts.iter().find(|(count, _)| count == name).and_then(|&(_, value)| value)
    }

    /// Puts it all into a turn.
    pub fn record(&self, turn: &mut Turn) {
        for (name, ns) in &self.times {
            turn.ns(name, *ns);
        }
        for (name, value) in self.counts.iter().filter_map(|(name, value)| Some((name, (*value)?))) {
            turn.count(name, value);
        }
        for (name, value) in self.bytes.iter().filter_map(|(name, value)| Some((name, (*value)?))) {
            turn.bytes(name, value);
        }
        for (name, value) in self.numbers.iter().filter_map(|(name, value)| Some((name, (*value)?))) {
            turn.gauge(name, value);
        }
        for (name, ns) in &self.pauses {
            turn.pause(name, *ns);
        }
    }
}

impl Process {
    /// Starts a script; `setting` reaches it as a dictionary, `environment` is added to what is always set.
    ///
    /// # Errors
    /// If the interpreter cannot be started.
    pub fn start(
        interpreter: &Interpreter,
        script: &str,
        setting: &impl Serialize,
        environment: &[(&str, &OsStr)],
    ) -> Result<Process, Failure> {
        let name = interpreter.name();
        let fail = |what: &dyn std::fmt::Display| Failure::Plan(format!("{name}: {what}"));
        let setting = serde_json::to_string(setting).map_err(|error| fail(&error))?;
        let mut child = command(&interpreter.path)
            .envs(environment.iter().copied())
            .arg("-c")
            .arg(format!("{PRELUDE}\n{script}\n{LOOP}"))
            .arg(setting)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| fail(&error))?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().ok_or_else(|| fail(&"no pipe from it"))?;
        Ok(Process { name, child, stdin, stdout: BufReader::new(stdout) })
    }

    /// One turn.
    ///
    /// # Errors
    /// With the last line of what the interpreter says on standard error, if it ends or answers nonsense.
    pub fn turn(&mut self) -> Result<Answer, Failure> {
        let asked = self.stdin.as_mut().is_some_and(|stdin| stdin.write_all(b"turn\n").is_ok());
        let mut line = String::new();
        if asked && self.stdout.read_line(&mut line).is_ok_and(|read| read > 0) {
            return serde_json::from_str(&line)
                .map_err(|error| Failure::Plan(format!("{}: {error} in its answer", self.name)));
        }
        let words = self.last_words();
        Err(Failure::Plan(format!("{}: {words}", self.name)))
    }

    /// What it said on standard error before it ended.
    fn last_words(&mut self) -> String {
        self.stdin = None;
        let mut text = String::new();
        if let Some(stderr) = self.child.stderr.take() {
            // What is not text is of no use to anybody.
            let _ = stderr.take(1 << 16).read_to_string(&mut text);
        }
        last_line(&text)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The end of its input is the end of its loop.
        self.stdin = None;
        let _ = self.child.wait();
    }
}
