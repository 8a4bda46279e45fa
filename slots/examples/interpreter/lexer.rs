//! Text to tokens.

/// A token.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token {
    Name(String),
    Number(i64),
    Text(String),
    /// Operators, brackets, commas, colons.
    Mark(&'static str),
    Newline,
    Indent,
    Dedent,
    End,
}

/// Longer ones first.
const MARKS: [&str; 37] = [
    "//=", "==", "!=", "<=", ">=", "+=", "-=", "*=", "%=", "&=", "|=", "^=", "//", "<<", ">>", "+", "-", "*",
    "%", "&", "|", "^", "<", ">", "=", "(", ")", "[", "]", "{", "}", ",", ":", ".", "~", ";", "@",
];

/// All tokens with their lines.
pub(crate) fn tokens(text: &str) -> Result<Vec<(Token, usize)>, String> {
    let mut tokens = Vec::new();
    let (mut indents, mut depth) = (vec![0], 0usize);
    for (line, number) in text.lines().zip(1..) {
        let content = line.trim_start();
        if depth == 0 {
            if content.is_empty() || content.starts_with('#') {
                continue;
            }
            let indent = line.len() - content.len();
            if indent > *indents.last().unwrap_or(&0) {
                indents.push(indent);
                tokens.push((Token::Indent, number));
            }
            while indent < *indents.last().unwrap_or(&0) {
                indents.pop();
                tokens.push((Token::Dedent, number));
            }
        }
        let mut rest = content;
        while let Some(first) = rest.chars().next() {
            if first == '#' {
                break;
            }
            if first.is_whitespace() {
                rest = &rest[first.len_utf8()..];
                continue;
            }
            let word = rest.find(|it: char| !it.is_alphanumeric() && it != '_').unwrap_or(rest.len());
            if first.is_ascii_digit() {
                let number_text = rest[..word].replace('_', "");
                let value =
                    number_text.parse().map_err(|_| format!("line {number}: number {number_text}"))?;
                tokens.push((Token::Number(value), number));
                rest = &rest[word..];
            } else if word > 0 {
                tokens.push((Token::Name(rest[..word].into()), number));
                rest = &rest[word..];
            } else if first == '"' || first == '\'' {
                let end = rest[1..].find(first).ok_or(format!("line {number}: a string without end"))?;
                tokens.push((Token::Text(rest[1..=end].into()), number));
                rest = &rest[end + 2..];
            } else {
                let mark = MARKS.into_iter().find(|mark| rest.starts_with(mark));
                let mark = mark.ok_or(format!("line {number}: character {first:?}"))?;
                match mark {
                    "(" | "[" | "{" => depth += 1,
                    ")" | "]" | "}" => depth = depth.saturating_sub(1),
                    _ => {}
                }
                tokens.push((Token::Mark(mark), number));
                rest = &rest[mark.len()..];
            }
        }
        if depth == 0 {
            tokens.push((Token::Newline, number));
        }
    }
    let last = text.lines().count();
    tokens.extend(indents.iter().skip(1).map(|_| (Token::Dedent, last)));
    tokens.push((Token::End, last));
    Ok(tokens)
}
