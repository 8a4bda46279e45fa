//! Tokens to a tree, by recursive descent.

use crate::lexer::{Token, tokens};
use crate::syntax::{Binary, Class, Compare, Expr, Function, Member, Stmt};

/// The tree of a program.
pub(crate) fn parse(text: &str) -> Result<Vec<Stmt>, String> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0 };
    let mut program = Vec::new();
    while *parser.peek() != Token::End {
        parser.statement(&mut program)?;
    }
    Ok(program)
}

struct Parser {
    tokens: Vec<(Token, usize)>,
    at: usize,
}

const LEVELS: [&[(&str, Binary)]; 6] = [
    &[("|", Binary::Or)],
    &[("^", Binary::Xor)],
    &[("&", Binary::And)],
    &[("<<", Binary::Shl), (">>", Binary::Shr)],
    &[("+", Binary::Add), ("-", Binary::Sub)],
    &[("*", Binary::Mul), ("//", Binary::FloorDiv), ("%", Binary::Mod)],
];

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.at).map_or(&Token::End, |(token, _)| token)
    }

    fn next(&mut self) -> Token {
        self.at += 1;
        self.tokens.get(self.at - 1).map_or(Token::End, |(token, _)| token.clone())
    }

    fn error<T>(&self, what: &str) -> Result<T, String> {
        let (found, line) =
            self.tokens.get(self.at).or(self.tokens.last()).cloned().unwrap_or((Token::End, 0));
        Err(format!("line {line}: {what}, found {found:?}"))
    }

    fn is_mark(&mut self, mark: &str) -> bool {
        let found = matches!(self.peek(), Token::Mark(known) if *known == mark);
        self.at += usize::from(found);
        found
    }

    fn is_word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Token::Name(known) if known == word);
        self.at += usize::from(found);
        found
    }

    fn mark(&mut self, mark: &str) -> Result<(), String> {
        if self.is_mark(mark) { Ok(()) } else { self.error(&format!("expected {mark}")) }
    }

    fn token(&mut self, token: &Token) -> Result<(), String> {
        if self.peek() == token {
            self.at += 1;
            return Ok(());
        }
        self.error(&format!("expected {token:?}"))
    }

    fn name(&mut self) -> Result<String, String> {
        match self.next() {
            Token::Name(name) => Ok(name),
            _ => {
                self.at -= 1;
                self.error("expected a name")
            }
        }
    }

    fn names(&mut self) -> Result<Vec<String>, String> {
        let mut names = vec![self.name()?];
        while self.is_mark(",") {
            names.push(self.name()?);
        }
        Ok(names)
    }

    fn block(&mut self) -> Result<Vec<Stmt>, String> {
        self.mark(":")?;
        let mut body = Vec::new();
        if *self.peek() != Token::Newline {
            self.statement(&mut body)?;
            return Ok(body);
        }
        self.token(&Token::Newline)?;
        self.token(&Token::Indent)?;
        while *self.peek() != Token::Dedent {
            self.statement(&mut body)?;
        }
        self.at += 1;
        Ok(body)
    }

    fn statement(&mut self, body: &mut Vec<Stmt>) -> Result<(), String> {
        let statement = if self.is_word("if") {
            self.branches()?
        } else if self.is_word("while") {
            Stmt::While(self.expr()?, self.block()?)
        } else if self.is_word("for") {
            let name = self.name()?;
            if !self.is_word("in") {
                return self.error("expected in");
            }
            Stmt::For(name, self.expr()?, self.block()?)
        } else if self.is_word("def") {
            Stmt::Def(self.function()?)
        } else if self.is_word("class") {
            Stmt::Class(self.class()?)
        } else {
            let statement = self.simple()?;
            self.token(&Token::Newline)?;
            statement
        };
        body.push(statement);
        Ok(())
    }

    fn simple(&mut self) -> Result<Stmt, String> {
        for (word, statement) in [("pass", Stmt::Pass), ("break", Stmt::Break), ("continue", Stmt::Continue)]
        {
            if self.is_word(word) {
                return Ok(statement);
            }
        }
        if self.is_word("return") {
            let value = if *self.peek() == Token::Newline { None } else { Some(self.expr()?) };
            return Ok(Stmt::Return(value));
        }
        if self.is_word("nonlocal") {
            return Ok(Stmt::Nonlocal(self.names()?));
        }
        if self.is_word("global") {
            return Ok(Stmt::Global(self.names()?));
        }
        let mut first = self.expr()?;
        for (mark, operation) in LEVELS.into_iter().flatten() {
            let mark: &str = &format!("{mark}=");
            if self.is_mark(mark) {
                return Ok(Stmt::Augment(first, *operation, self.expr()?));
            }
        }
        let mut targets = Vec::new();
        while self.is_mark("=") {
            targets.push(first);
            first = self.expr()?;
        }
        Ok(if targets.is_empty() { Stmt::Expr(first) } else { Stmt::Assign(targets, first) })
    }

    fn branches(&mut self) -> Result<Stmt, String> {
        let (test, body) = (self.expr()?, self.block()?);
        let other = if self.is_word("elif") {
            vec![self.branches()?]
        } else if self.is_word("else") {
            self.block()?
        } else {
            Vec::new()
        };
        Ok(Stmt::If(test, body, other))
    }

    fn function(&mut self) -> Result<Function, String> {
        let name = self.name()?;
        self.mark("(")?;
        let mut parameters = Vec::new();
        while !self.is_mark(")") {
            parameters.push(self.name()?);
            self.is_mark(",");
        }
        Ok(Function { name, parameters, body: self.block()? })
    }

    fn class(&mut self) -> Result<Class, String> {
        let name = self.name()?;
        let mut base = None;
        if self.is_mark("(") && !self.is_mark(")") {
            base = Some(self.expr()?);
            self.mark(")")?;
        }
        let (mut slots, mut members) = (None, Vec::new());
        for statement in self.block()? {
            match statement {
                Stmt::Pass => {}
                Stmt::Def(function) => members.push((function.name.clone(), Member::Function(function))),
                Stmt::Assign(targets, value) => {
                    let [Expr::Name(target)] = &targets[..] else {
                        return self.error("expected a name in a class");
                    };
                    match (target.as_str(), value) {
                        ("__slots__", Expr::List(names)) => {
                            let text = |name| if let Expr::Text(text) = name { Some(text) } else { None };
                            slots = names.into_iter().map(text).collect();
                        }
                        (_, value) => members.push((target.clone(), Member::Value(value))),
                    }
                }
                _ => return self.error("a class has functions and values"),
            }
        }
        Ok(Class { name, base, slots, members })
    }

    fn expr(&mut self) -> Result<Expr, String> {
        let mut left = self.conjunction()?;
        while self.is_word("or") {
            left = Expr::Or(Box::new(left), Box::new(self.conjunction()?));
        }
        Ok(left)
    }

    fn conjunction(&mut self) -> Result<Expr, String> {
        let mut left = self.negation()?;
        while self.is_word("and") {
            left = Expr::And(Box::new(left), Box::new(self.negation()?));
        }
        Ok(left)
    }

    fn negation(&mut self) -> Result<Expr, String> {
        if self.is_word("not") {
            return Ok(Expr::Not(Box::new(self.negation()?)));
        }
        let left = self.binary(0)?;
        let marks = [
            ("<=", Compare::Le),
            (">=", Compare::Ge),
            ("<", Compare::Lt),
            (">", Compare::Gt),
            ("==", Compare::Eq),
            ("!=", Compare::Ne),
        ];
        for (mark, compare) in marks {
            if self.is_mark(mark) {
                return Ok(Expr::Compare(compare, Box::new(left), Box::new(self.binary(0)?)));
            }
        }
        if self.is_word("is") {
            let compare = if self.is_word("not") { Compare::IsNot } else { Compare::Is };
            return Ok(Expr::Compare(compare, Box::new(left), Box::new(self.binary(0)?)));
        }
        Ok(left)
    }

    fn binary(&mut self, level: usize) -> Result<Expr, String> {
        let Some(operations) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.binary(level + 1)?;
        'more: loop {
            for (mark, operation) in *operations {
                if self.is_mark(mark) {
                    left = Expr::Binary(*operation, Box::new(left), Box::new(self.binary(level + 1)?));
                    continue 'more;
                }
            }
            return Ok(left);
        }
    }

    fn unary(&mut self) -> Result<Expr, String> {
        if self.is_mark("-") {
            return Ok(match self.unary()? {
                Expr::Number(number) => Expr::Number(-number),
                other => Expr::Negative(Box::new(other)),
            });
        }
        let mut left = self.atom()?;
        loop {
            if self.is_mark(".") {
                left = Expr::Attribute(Box::new(left), self.name()?);
            } else if self.is_mark("(") {
                left = Expr::Call(Box::new(left), self.list(")")?);
            } else if self.is_mark("[") {
                let index = self.expr()?;
                self.mark("]")?;
                left = Expr::Index(Box::new(left), Box::new(index));
            } else {
                return Ok(left);
            }
        }
    }

    fn list(&mut self, end: &str) -> Result<Vec<Expr>, String> {
        let mut items = Vec::new();
        while !self.is_mark(end) {
            items.push(self.expr()?);
            if !self.is_mark(",") {
                self.mark(end)?;
                break;
            }
        }
        Ok(items)
    }

    fn atom(&mut self) -> Result<Expr, String> {
        Ok(match self.next() {
            Token::Number(number) => Expr::Number(number),
            Token::Text(text) => Expr::Text(text),
            Token::Name(name) => match name.as_str() {
                "None" => Expr::None,
                "True" => Expr::True,
                "False" => Expr::False,
                _ => Expr::Name(name),
            },
            Token::Mark("[") => Expr::List(self.list("]")?),
            Token::Mark("(") => {
                let inner = self.expr()?;
                self.mark(")")?;
                inner
            }
            _ => {
                self.at -= 1;
                return self.error("expected an expression");
            }
        })
    }
}
