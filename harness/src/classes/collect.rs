//! Statements to described classes.

use std::collections::HashSet;

use rustpython_ruff_python_ast::{
    Decorator as WrittenDecorator, ExceptHandler, Expr, Number, Stmt, StmtClassDef, StmtFunctionDef,
};

use super::describe::{Decorator, Described, WrittenItem, WrittenSlots};

/// Every class among these statements and inside them, in the order of the text.
pub(super) fn classes(body: &[Stmt], source: &str) -> Vec<Described> {
    let mut found = Vec::new();
    // Blocks still to be looked through, the next one last; with the names around them.
    let mut waiting: Vec<(&[Stmt], String)> = vec![(body, String::new())];
    while let Some((block, around)) = waiting.pop() {
        for statement in block {
            let inside = match statement {
                Stmt::ClassDef(class) => {
                    found.push((class.range.start().to_usize(), describe(class, &around, source)));
                    format!("{around}{}.", class.name)
                }
                Stmt::FunctionDef(function) => format!("{around}{}.", function.name),
                _ => around.clone(),
            };
            waiting.extend(blocks(statement).into_iter().map(|block| (block, inside.clone())));
        }
    }
    found.sort_by_key(|&(offset, _)| offset);
    let mut lines = Lines { source: source.as_bytes(), offset: 0, line: 1 };
    let mut all = Vec::new();
    for (offset, mut class) in found {
        class.line = lines.of(offset);
        all.push(class);
    }
    all
}

/// Counts lines once, for offsets that ascend.
struct Lines<'a> {
    source: &'a [u8],
    offset: usize,
    line: u64,
}

impl Lines<'_> {
    fn of(&mut self, offset: usize) -> u64 {
        let between = self.source.get(self.offset..offset).unwrap_or_default();
        self.line += between.iter().filter(|&&b| b == b'\n').count() as u64;
        self.offset = self.offset.max(offset);
        self.line
    }
}

/// The blocks of a statement.
fn blocks(statement: &Stmt) -> Vec<&[Stmt]> {
    match statement {
        Stmt::ClassDef(it) => vec![&it.body],
        Stmt::FunctionDef(it) => vec![&it.body],
        Stmt::For(it) => vec![&it.body, &it.orelse],
        Stmt::While(it) => vec![&it.body, &it.orelse],
        Stmt::With(it) => vec![&it.body],
        Stmt::If(it) => {
            let others = it.elif_else_clauses.iter().map(|clause| &clause.body[..]);
            [&it.body[..]].into_iter().chain(others).collect()
        }
        Stmt::Try(it) => {
            let handlers = it.handlers.iter().map(|ExceptHandler::ExceptHandler(handler)| &handler.body[..]);
            [&it.body[..]].into_iter().chain(handlers).chain([&it.orelse[..], &it.finalbody[..]]).collect()
        }
        Stmt::Match(it) => it.cases.iter().map(|case| &case.body[..]).collect(),
        _ => Vec::new(),
    }
}

fn describe(class: &StmtClassDef, around: &str, source: &str) -> Described {
    let text = &source[class.range.start().to_usize()..class.range.end().to_usize()];
    let arguments = class.arguments.as_deref();
    let mut it = Described {
        name: format!("{around}{}", class.name),
        bases: arguments.map_or(Vec::new(), |it| it.args.iter().map(dotted).collect()),
        decorator: class
            .decorator_list
            .iter()
            .map(decorator)
            .fold(Decorator::None, |all, next| if next == Decorator::None { all } else { next }),
        uses_dict: text.contains("self.__dict__") || text.contains("vars(self)"),
        uses_super: text.contains("super()"),
        ..Described::default()
    };
    let mut methods = Vec::new();
    for statement in &class.body {
        body_statement(statement, &mut it, &mut methods);
    }
    // What `__init__` sets comes first.
    methods.sort_by_key(|method: &&StmtFunctionDef| method.name.as_str() != "__init__");
    let mut seen = HashSet::new();
    for method in methods {
        let at_once = method.name.as_str() == "__init__";
        for name in assigned_to_self(&method.body) {
            it.mutable |= !at_once;
            if seen.insert(name) {
                it.assigned.push(name.to_owned());
                it.optional.extend((!at_once).then(|| name.to_owned()));
            }
        }
    }
    it
}

fn body_statement<'a>(statement: &'a Stmt, it: &mut Described, methods: &mut Vec<&'a StmtFunctionDef>) {
    match statement {
        Stmt::FunctionDef(function) => {
            let decorated = |name: &str| {
                function.decorator_list.iter().any(|it| dotted(callee(&it.expression)).ends_with(name))
            };
            if decorated("cached_property") {
                it.cached_properties.push(function.name.to_string());
            }
            it.body.push(function.name.to_string());
            methods.push(function);
        }
        Stmt::ClassDef(class) => it.body.push(class.name.to_string()),
        Stmt::AnnAssign(assign) => {
            let Expr::Name(name) = &*assign.target else { return };
            let kind = dotted(match &*assign.annotation {
                Expr::Subscript(generic) => &generic.value,
                annotation => annotation,
            });
            let is = |wanted: &str| kind == wanted || kind.ends_with(&format!(".{wanted}"));
            if !is("ClassVar") && !is("InitVar") && !is("KW_ONLY") {
                it.fields.push(name.id.to_string());
            }
            if let Some(value) = &assign.value {
                named(name.id.as_str(), value, it);
            }
        }
        Stmt::Assign(assign) => {
            for target in &assign.targets {
                if let Expr::Name(name) = target {
                    named(name.id.as_str(), &assign.value, it);
                }
            }
        }
        _ => {}
    }
}

/// A name of the body gets a value.
fn named(name: &str, value: &Expr, it: &mut Described) {
    if name != "__slots__" {
        // attrs: `x = attr.ib()` is a field.
        let is_field = matches!(value, Expr::Call(call) if ["attr.ib", "attrib", "attrs.field"]
            .contains(&dotted(&call.func).as_str()));
        if is_field && !it.fields.iter().any(|field| field == name) {
            it.fields.push(name.to_owned());
        }
        it.body.push(name.to_owned());
        return;
    }
    it.slots = written_slots(value);
    it.slots_unknown = it.slots.is_none();
}

/// `None` if it is computed.
fn written_slots(value: &Expr) -> Option<WrittenSlots> {
    let all = |elements: &[Expr]| elements.iter().map(item).collect::<Option<_>>().map(WrittenSlots::Items);
    match value {
        Expr::Tuple(it) => all(&it.elts),
        Expr::List(it) => all(&it.elts),
        Expr::Set(it) => all(&it.elts),
        Expr::Dict(it) => {
            let keys = it.items.iter().map(|entry| entry.key.as_ref().and_then(item));
            keys.collect::<Option<_>>().map(WrittenSlots::Items)
        }
        Expr::StringLiteral(text) => Some(WrittenSlots::Text(text.value.to_str().to_owned())),
        Expr::BytesLiteral(bytes) => Some(WrittenSlots::Bytes(bytes.value.bytes().map(char::from).collect())),
        constant => kind_of_constant(constant).map(WrittenSlots::NotIterable),
    }
}

fn item(value: &Expr) -> Option<WrittenItem> {
    match value {
        Expr::StringLiteral(text) => Some(WrittenItem::Name(text.value.to_str().to_owned())),
        Expr::BytesLiteral(_) => Some(WrittenItem::Other("bytes")),
        Expr::Tuple(_) => Some(WrittenItem::Other("tuple")),
        constant => kind_of_constant(constant).map(WrittenItem::Other),
    }
}

/// The type of a constant that is no text.
fn kind_of_constant(value: &Expr) -> Option<&'static str> {
    Some(match value {
        Expr::NoneLiteral(_) => "NoneType",
        Expr::BooleanLiteral(_) => "bool",
        Expr::EllipsisLiteral(_) => "ellipsis",
        Expr::NumberLiteral(number) => match number.value {
            Number::Int(_) => "int",
            Number::Float(_) => "float",
            Number::Complex { .. } => "complex",
        },
        _ => return None,
    })
}

/// The attributes of `self` that a block assigns to, inner functions included, inner classes not. The rule is
/// that of `__static_attributes__`: plain targets, not `+=` and not `del`.
fn assigned_to_self(body: &[Stmt]) -> Vec<&str> {
    let mut all = Vec::new();
    let mut waiting: Vec<&Stmt> = body.iter().rev().collect();
    while let Some(statement) = waiting.pop() {
        match statement {
            Stmt::ClassDef(_) => continue,
            Stmt::Assign(it) => it.targets.iter().for_each(|target| targets(target, &mut all)),
            Stmt::AnnAssign(it) if it.value.is_some() => targets(&it.target, &mut all),
            Stmt::For(it) => targets(&it.target, &mut all),
            Stmt::With(it) => {
                it.items
                    .iter()
                    .filter_map(|item| item.optional_vars.as_deref())
                    .for_each(|it| targets(it, &mut all));
            }
            _ => {}
        }
        waiting.extend(blocks(statement).into_iter().rev().flat_map(|block| block.iter().rev()));
    }
    all
}

fn targets<'a>(target: &'a Expr, all: &mut Vec<&'a str>) {
    let mut waiting = vec![target];
    while let Some(target) = waiting.pop() {
        match target {
            Expr::Attribute(it) => {
                if matches!(&*it.value, Expr::Name(name) if name.id.as_str() == "self") {
                    all.push(it.attr.as_str());
                }
            }
            Expr::Tuple(it) => waiting.extend(it.elts.iter().rev()),
            Expr::List(it) => waiting.extend(it.elts.iter().rev()),
            Expr::Starred(it) => waiting.push(&it.value),
            _ => {}
        }
    }
}

fn callee(expression: &Expr) -> &Expr {
    if let Expr::Call(call) = expression { &call.func } else { expression }
}

fn decorator(written: &WrittenDecorator) -> Decorator {
    let name = dotted(callee(&written.expression));
    let arguments = if let Expr::Call(call) = &written.expression { Some(&call.arguments) } else { None };
    let truth = |wanted: &str| {
        let keyword = arguments?.keywords.iter().find(|it| it.arg.as_deref() == Some(wanted))?;
        if let Expr::BooleanLiteral(it) = &keyword.value { Some(it.value) } else { None }
    };
    match name.as_str() {
        "dataclass" | "dataclasses.dataclass" => Decorator::Dataclass {
            slots: truth("slots").unwrap_or(false),
            weakref_slot: truth("weakref_slot").unwrap_or(false),
            place: written.range.start().to_usize() + 1..written.range.end().to_usize(),
            called: arguments.is_some(),
            has_arguments: arguments.is_some_and(|it| !it.args.is_empty() || !it.keywords.is_empty()),
        },
        "attr.s" | "attr.attrs" | "attr.dataclass" => {
            Decorator::Attrs { slots: truth("slots").unwrap_or(false) }
        }
        "define" | "attrs.define" | "attr.define" | "frozen" | "attrs.frozen" | "attr.frozen" | "mutable"
        | "attrs.mutable" => Decorator::Attrs { slots: truth("slots").unwrap_or(true) },
        _ => Decorator::None,
    }
}

/// `a.b.c` as it is written; of a subscript its value; nothing for anything else.
fn dotted(expression: &Expr) -> String {
    let mut parts = Vec::new();
    let mut next = expression;
    loop {
        match next {
            Expr::Attribute(it) => {
                parts.push(it.attr.as_str());
                next = &it.value;
            }
            Expr::Subscript(it) => next = &it.value,
            Expr::Name(it) => {
                parts.push(it.id.as_str());
                break;
            }
            _ => return String::new(),
        }
    }
    parts.reverse();
    parts.join(".")
}
