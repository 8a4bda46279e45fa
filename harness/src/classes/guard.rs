//! Refuses text that is nested too deeply for a parser that calls itself for each level.

/// Brackets that may be open at a time (`MAXLEVEL`, `Parser/lexer/state.h`), and levels of indentation
/// (`MAXINDENT`, same file).
const MOST_BRACKETS: usize = 200;
const MOST_INDENTS: usize = 100;

/// Operators in a row that a parser must hold open, between two commas or lines. CPython's own compiler gives up
/// on fewer.
const MOST_OPERATORS: usize = 2000;

/// Where the text is too deep, and what CPython calls it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TooDeep {
    pub(super) offset: usize,
    pub(super) what: &'static str,
}

/// Looks through brackets, indentation and operators, strings and comments left out; the most levels that a parser
/// must hold open at a time.
pub(super) fn depth(text: &str) -> Result<usize, TooDeep> {
    let bytes = text.as_bytes();
    let mut deepest = 0;
    let mut open: Vec<usize> = Vec::new();
    let (mut operators, mut below) = (0, 0);
    let mut indents: Vec<usize> = vec![0];
    let (mut i, mut line_start) = (0, true);
    while i < bytes.len() {
        if line_start && open.is_empty() {
            let width = bytes[i..].iter().take_while(|&&b| b == b' ' || b == b'\t').count();
            i += width;
            if !matches!(bytes.get(i), None | Some(b'\n' | b'\r' | b'#')) {
                while indents.last().is_some_and(|&last| last > width) {
                    indents.pop();
                }
                if indents.last().is_some_and(|&last| last < width) {
                    indents.push(width);
                }
            }
            if indents.len() > MOST_INDENTS {
                let what = "IndentationError: too many levels of indentation";
                return Err(TooDeep { offset: i, what });
            }
        }
        line_start = false;
        let Some(&byte) = bytes.get(i) else { break };
        match byte {
            b'#' => i += bytes[i..].iter().take_while(|&&b| b != b'\n').count(),
            b'"' | b'\'' => {
                let (end, holes) = string_end(bytes, i);
                if holes > MOST_BRACKETS {
                    return Err(TooDeep { offset: i, what: "SyntaxError: too many nested parentheses" });
                }
                deepest = deepest.max(open.len() + operators + below + indents.len() + holes);
                i = end;
            }
            b'\n' => {
                line_start = true;
                if open.is_empty() {
                    operators = 0;
                }
                i += 1;
            }
            b'(' | b'[' | b'{' => {
                operators += 1; // f()()() is nested, too
                open.push(operators);
                below += operators;
                operators = 0;
                if open.len() > MOST_BRACKETS {
                    return Err(TooDeep { offset: i, what: "SyntaxError: too many nested parentheses" });
                }
                i += 1;
            }
            b')' | b']' | b'}' => {
                operators = open.pop().unwrap_or(0);
                below = below.saturating_sub(operators);
                i += 1;
            }
            b',' | b';' => {
                operators = 0;
                i += 1;
            }
            b'-' | b'+' | b'~' | b'*' | b'/' | b'%' | b'@' | b'|' | b'&' | b'^' | b'<' | b'>' | b'.' => {
                operators += 1;
                i += 1;
            }
            b if b.is_ascii_alphabetic() || b == b'_' || b >= 0x80 => {
                let is_word = |b: &&u8| b.is_ascii_alphanumeric() || **b == b'_' || **b >= 0x80;
                let word = &bytes[i..i + bytes[i..].iter().take_while(is_word).count()];
                operators += usize::from(matches!(word, b"not" | b"lambda" | b"else" | b"await" | b"if"));
                i += word.len();
            }
            b'\\' => i += 2,
            _ => i += 1,
        }
        if operators + below > MOST_OPERATORS {
            let what = "RecursionError: maximum recursion depth exceeded during compilation";
            return Err(TooDeep { offset: i.min(bytes.len()), what });
        }
        deepest = deepest.max(open.len() + operators + below + indents.len());
    }
    Ok(deepest)
}

/// The end of the string that starts at `start`, and the most brackets in it that could be nested, were it an
/// f-string.
fn string_end(bytes: &[u8], start: usize) -> (usize, usize) {
    let quote = bytes[start];
    let triple = bytes[start..].starts_with(&[quote; 3]);
    let formats = start > 0 && matches!(bytes[start - 1] | 0x20, b'f' | b't' | b'r');
    let mut i = start + if triple { 3 } else { 1 };
    let (mut depth, mut deepest) = (0usize, 0);
    while i < bytes.len() {
        match bytes[i] {
            b'\\' => i += 1,
            b'\n' if !triple => return (i, deepest),
            b if b == quote && (!triple || bytes[i..].starts_with(&[quote; 3])) => {
                return (i + if triple { 3 } else { 1 }, deepest);
            }
            b'(' | b'[' | b'{' | b'-' | b'~' if formats => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b')' | b']' | b'}' | b',' if formats => depth = depth.saturating_sub(1),
            _ => {}
        }
        i += 1;
    }
    (bytes.len(), deepest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_programs_pass() {
        let many = format!("x = [{}]\n", "-1, ".repeat(100_000));
        for text in ["", "class A:\n  def f(self):\n    self.x = (1 + (2))\n", "s = '((((' # [[[\n", &many] {
            assert!(depth(text).is_ok_and(|depth| depth < 10), "{:.40}", text);
        }
        assert_eq!(depth("x = ((-1))\n").map(|it| it > 3), Ok(true));
    }

    #[test]
    fn deep_nesting_is_refused() {
        let indents: String = (0..200).map(|i| format!("{}if 1:\n", " ".repeat(i))).collect();
        for text in [
            "(".repeat(201),
            "[".repeat(1 << 20),
            "not ".repeat(1 << 20),
            "-".repeat(1 << 20),
            "lambda: ".repeat(1 << 20),
            format!("a{}", ".b".repeat(1 << 20)),
            format!("a{}", "()".repeat(1 << 20)),
            "x if y else ".repeat(1 << 20),
            format!("f'{}'", "{(".repeat(1 << 20)),
            indents,
        ] {
            assert!(depth(&text).is_err(), "{:.20}", text);
        }
    }
}
