//! Text to described classes, on a thread whose stack is large enough for the depth that the guard found.

use std::thread;

use rustpython_ruff_python_parser::parse_module;

use super::collect;
use super::describe::Described;
use super::guard;

/// Stack of the thread that parses: some for itself, and some for each level that is open at a time. Measured: a
/// level takes up to 2.2 KiB (a nested call), without optimization 5.8.
const STACK_BYTES: usize = 1 << 20;
const STACK_BYTES_A_LEVEL: usize = 16 << 10;

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
    let depth =
        guard::depth(source).map_err(|deep| BadSource { offset: deep.offset, what: deep.what.to_owned() })?;
    let failed = |what: &str| BadSource { offset: 0, what: what.to_owned() };
    thread::scope(|scope| {
        let parser = thread::Builder::new().stack_size(STACK_BYTES + depth * STACK_BYTES_A_LEVEL);
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

#[cfg(test)]
mod tests {
    use super::*;

    /// As deep as the guard lets through, in every way that a parser calls itself.
    #[test]
    fn the_stack_is_enough_for_the_deepest_text() {
        let nested = |open: &str, n: usize, close: &str| format!("{}1{}\n", open.repeat(n), close.repeat(n));
        for (open, n, close) in [
            ("(", 200, ")"),
            ("[", 200, "]"),
            ("{1:", 200, "}"),
            ("f(", 190, ")"),
            ("a[", 190, "]"),
            ("a[::", 190, "]"),
            ("[y for x in ", 200, "]"),
            ("(yield ", 200, ")"),
            ("(y:=", 200, ")"),
            ("(not -lambda: ", 200, ")"),
            ("(- - - - -", 200, ")"),
            ("not ", 1900, ""),
            ("-", 1900, ""),
            ("lambda: ", 1900, ""),
            ("x if y else ", 900, ""),
            ("a**", 900, ""),
            ("f'{", 200, "}'"),
        ] {
            let text = nested(open, n, close);
            guard::depth(&text).unwrap_or_else(|deep| panic!("{open}: {deep:?}"));
            // A class below what is deep: where the text is no Python, an error will do.
            let found = classes(&format!("class A:\n    x = {text}")).map(|classes| classes.len());
            assert!(found.as_ref().map_or(true, |&n| n == 1), "{open}: {found:?}");
        }
        let deep: String = (0..99).map(|i| format!("{}class A:\n", " ".repeat(i))).collect();
        assert_eq!(
            classes(&format!("{deep}{}x = {}", " ".repeat(99), nested("(", 200, ")"))).unwrap().len(),
            99
        );
        let f_strings = format!("f'{}{}'\n", "{(".repeat(100), ")}".repeat(100));
        assert!(classes(&f_strings).is_ok());
    }
}
