//! The same work on an interpreter.

use std::io;
use std::process::Command;

use super::outcome::Scale;

/// The program that an interpreter runs.
pub const SCRIPT: &str = include_str!("cpython.py");

/// What an interpreter took for a pattern.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// The name of the pattern.
    pub pattern: String,
    /// `slots`, `dict`.
    pub subject: String,
    /// Nanoseconds an operation took, the loop around it subtracted.
    pub ns: f64,
    /// Bytes for each key; 0 if the pattern counts none.
    pub bytes: f64,
}

/// Measures the patterns on this interpreter.
///
/// # Errors
/// If it cannot be run or fails.
pub fn measure(python: &str, scale: Scale) -> io::Result<Vec<Measured>> {
    let output = Command::new(python).args(["-c", SCRIPT, &scale.factor().to_string()]).output()?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        let last = error.lines().last().unwrap_or("no message").to_owned();
        return Err(io::Error::other(format!("{python}: {last}")));
    }
    let lines = String::from_utf8_lossy(&output.stdout);
    let parsed = lines.lines().map(|line| {
        let mut words = line.split(' ');
        let mut next = || words.next().ok_or_else(|| io::Error::other(format!("{python}: {line}")));
        let (pattern, subject, ns, bytes) = (next()?, next()?, next()?, next()?);
        let number = |text: &str| text.parse::<f64>().map_err(io::Error::other);
        Ok(Measured {
            pattern: pattern.into(),
            subject: subject.into(),
            ns: number(ns)?,
            bytes: number(bytes)?,
        })
    });
    parsed.collect()
}
