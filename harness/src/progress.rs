//! Progress on standard error: named passes, and a bar with its rate while an input is read, only if a person is
//! watching.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// How a pass looks.
const PASS: &str = "{spinner} {elapsed:>4}  {msg}";
/// How reading looks.
const READ: &str =
    "{spinner} {elapsed:>4}  {msg} {bar:20} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left";

/// A line on standard error that says what is being done; silent unless that is a terminal.
#[derive(Debug)]
pub struct Progress {
    line: ProgressBar,
}

impl Progress {
    /// Shows progress if standard error is a terminal.
    pub fn to_stderr() -> Progress {
        if !std::io::stderr().is_terminal() {
            return Progress::silent();
        }
        let line = ProgressBar::new_spinner();
        set_template(&line, PASS);
        line.enable_steady_tick(Duration::from_millis(120));
        Progress { line }
    }

    /// Shows nothing.
    pub fn silent() -> Progress {
        Progress { line: ProgressBar::hidden() }
    }

    /// Names what is done next.
    pub fn pass(&self, name: &str) {
        set_template(&self.line, PASS);
        self.line.set_message(name.to_owned());
    }

    /// Names an input that is read next, of so many bytes.
    pub fn bytes(&self, name: &str, total: u64) -> Bytes {
        set_template(&self.line, READ);
        self.line.set_length(total);
        self.line.set_position(0);
        self.line.reset_eta();
        self.line.set_message(name.to_owned());
        Bytes { line: self.line.clone() }
    }
}

/// Where to tell how far an input was read.
#[derive(Clone, Debug)]
pub struct Bytes {
    line: ProgressBar,
}

impl Bytes {
    /// So many bytes were read.
    pub fn at(&self, bytes: u64) {
        self.line.set_position(bytes);
    }
}

fn set_template(line: &ProgressBar, template: &str) {
    if let Ok(style) = ProgressStyle::with_template(template) {
        line.set_style(style);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.line.finish_and_clear();
    }
}
