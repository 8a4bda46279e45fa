//! Text to described classes, on a thread whose stack is large enough for what the guard lets through.

use std::thread;

use rustpython_ruff_python_parser::parse_module;

use super::collect;
use super::describe::Described;
use super::guard;

/// Stack of the thread that parses; only what is used of it costs memory.
const STACK_BYTES: usize = 512 << 20;

/// Classes of a file that are priced.
const MOST_CLASSES: usize = 20_000;

/// What is wrong with the text, and how many bytes into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BadSource {
    pub(super) offset: usize,
    pub(super) what: String,
}

/// The classes of a program in the order of their text.
pub(super) fn classes(source: &str) -> Result<Vec<Described>, BadSource> {
    if let Some(offset) = source.find('\0') {
        return Err(BadSource {
            offset,
            what: "SyntaxError: source code cannot contain null bytes".to_owned(),
        });
    }
    guard::check(source).map_err(|deep| BadSource { offset: deep.offset, what: deep.what.to_owned() })?;
    let failed = |what: &str| BadSource { offset: 0, what: what.to_owned() };
    thread::scope(|scope| {
        let parser = thread::Builder::new().stack_size(STACK_BYTES);
        let running = parser.spawn_scoped(scope, || parse(source));
        let running = running.map_err(|error| failed(&format!("no thread to parse on: {error}")))?;
        running.join().unwrap_or_else(|_| Err(failed("SyntaxError: the parser gave up")))
    })
}

fn parse(source: &str) -> Result<Vec<Described>, BadSource> {
    let parsed = parse_module(source).map_err(|error| BadSource {
        offset: error.location.start().to_usize(),
        what: format!("SyntaxError: {}", error.error),
    })?;
    let classes = collect::classes(&parsed.syntax().body, source);
    if classes.len() > MOST_CLASSES {
        return Err(BadSource { offset: 0, what: format!("more than {MOST_CLASSES} classes in a file") });
    }
    Ok(classes)
}
