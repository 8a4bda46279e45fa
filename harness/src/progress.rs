//! Progress on standard error: named passes, only if a person is watching.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

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
        if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed:>4}  {msg}") {
            line.set_style(style);
        }
        line.enable_steady_tick(Duration::from_millis(120));
        Progress { line }
    }

    /// Shows nothing.
    pub fn silent() -> Progress {
        Progress { line: ProgressBar::hidden() }
    }

    /// Names what is done next.
    pub fn pass(&self, name: &str) {
        self.line.set_message(name.to_owned());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.line.finish_and_clear();
    }
}
