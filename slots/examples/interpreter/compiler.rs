//! A tree to code: one register for each local variable, others for what is in between.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};

use cpymem_slots::object::{InlineCache, Name, Shapes};

use crate::code::{Capture, ClassPlan, Code, Module, Op, Reg};
use crate::syntax::{Binary, Class, Compare, Expr, Function, Member, Stmt};
use crate::value::Value;

/// What is known of all functions.
struct Program {
    names: Shapes,
    globals: HashMap<String, u16>,
}

/// A function that is being compiled.
struct Scope {
    code: Code,
    /// Registers of variables; those captured by inner functions hold cells.
    locals: HashMap<String, Reg>,
    cells: HashSet<String>,
    /// Captured from the functions around, in order.
    free: Vec<String>,
    next: usize,
    /// Ends and next rounds of the loops around: jumps to be set.
    loops: Vec<(Vec<usize>, Vec<usize>)>,
    is_module: bool,
}

/// The code of a program.
pub(crate) fn compile(tree: &[Stmt]) -> Result<Module, String> {
    let mut program = Program { names: Shapes::new(), globals: HashMap::new() };
    for name in crate::builtins::NAMES {
        program.global(name);
    }
    let mut scope = Scope::new("<module>", 0, true);
    scope.block(&mut program, tree)?;
    scope.end();
    let mut globals: Vec<(String, u16)> = program.globals.into_iter().collect();
    globals.sort_by_key(|(_, index)| *index);
    let globals = globals.into_iter().map(|(name, _)| name).collect();
    Ok(Module { code: Box::leak(Box::new(scope.code)), globals, names: program.names })
}

impl Program {
    fn global(&mut self, name: &str) -> u16 {
        let next = self.globals.len() as u16;
        *self.globals.entry(name.into()).or_insert(next)
    }
}

/// Names that a function assigns, and names that functions in it use.
fn analyse(
    body: &[Stmt],
    assigned: &mut HashSet<String>,
    inner: &mut HashSet<String>,
    outer: &mut HashSet<String>,
) {
    for statement in body {
        match statement {
            Stmt::Assign(targets, _) => {
                let names =
                    targets.iter().filter_map(|it| if let Expr::Name(name) = it { Some(name) } else { None });
                assigned.extend(names.cloned());
            }
            Stmt::Augment(Expr::Name(name), _, _) => drop(assigned.insert(name.clone())),
            Stmt::If(_, body, other) => {
                analyse(body, assigned, inner, outer);
                analyse(other, assigned, inner, outer);
            }
            Stmt::While(_, body) => analyse(body, assigned, inner, outer),
            Stmt::For(name, _, body) => {
                assigned.insert(name.clone());
                analyse(body, assigned, inner, outer);
            }
            Stmt::Def(function) => {
                assigned.insert(function.name.clone());
                uses(function, inner);
            }
            Stmt::Class(class) => {
                assigned.insert(class.name.clone());
                for (_, member) in &class.members {
                    if let Member::Function(function) = member {
                        uses(function, inner);
                    }
                }
            }
            Stmt::Nonlocal(names) | Stmt::Global(names) => outer.extend(names.iter().cloned()),
            _ => {}
        }
    }
}

/// Names that a function takes from around it.
fn uses(function: &Function, names: &mut HashSet<String>) {
    let (mut assigned, mut inner, mut outer) = (HashSet::new(), HashSet::new(), HashSet::new());
    analyse(&function.body, &mut assigned, &mut inner, &mut outer);
    assigned.extend(function.parameters.iter().cloned());
    let mut used = inner;
    function.body.iter().for_each(|statement| statement_names(statement, &mut used));
    names.extend(used.into_iter().filter(|name| !assigned.contains(name) || outer.contains(name)));
}

fn statement_names(statement: &Stmt, names: &mut HashSet<String>) {
    let mut block = |body: &[Stmt]| body.iter().for_each(|it| statement_names(it, names));
    match statement {
        Stmt::If(test, body, other) => {
            block(body);
            block(other);
            expr_names(test, names);
        }
        Stmt::While(test, body) | Stmt::For(_, test, body) => {
            block(body);
            expr_names(test, names);
        }
        Stmt::Expr(expr) | Stmt::Return(Some(expr)) => expr_names(expr, names),
        Stmt::Assign(targets, value) => {
            targets.iter().for_each(|target| expr_names(target, names));
            expr_names(value, names);
        }
        Stmt::Augment(target, _, value) => {
            expr_names(target, names);
            expr_names(value, names);
        }
        Stmt::Class(class) => {
            class.base.iter().for_each(|base| expr_names(base, names));
        }
        _ => {}
    }
}

fn expr_names(expr: &Expr, names: &mut HashSet<String>) {
    match expr {
        Expr::Name(name) => drop(names.insert(name.clone())),
        Expr::List(items) => items.iter().for_each(|item| expr_names(item, names)),
        Expr::Binary(_, a, b)
        | Expr::Compare(_, a, b)
        | Expr::And(a, b)
        | Expr::Or(a, b)
        | Expr::Index(a, b) => {
            expr_names(a, names);
            expr_names(b, names);
        }
        Expr::Not(a) | Expr::Negative(a) | Expr::Attribute(a, _) => expr_names(a, names),
        Expr::Call(callee, arguments) => {
            expr_names(callee, names);
            arguments.iter().for_each(|argument| expr_names(argument, names));
        }
        _ => {}
    }
}

/// Variables that a function can capture: those of the functions around it.
struct Around<'a> {
    scope: &'a Scope,
}

impl Around<'_> {
    fn capture(&self, name: &str) -> Option<Capture> {
        if self.scope.is_module {
            return None;
        }
        if self.scope.cells.contains(name) {
            return self.scope.locals.get(name).map(|&register| Capture::Register(register));
        }
        let index = self.scope.free.iter().position(|known| known == name)?;
        Some(Capture::Free(index as u8))
    }
}

impl Scope {
    fn new(name: &str, parameters: u8, is_module: bool) -> Scope {
        let code = Code {
            name: name.into(),
            parameters,
            registers: 0,
            ops: Vec::new(),
            constants: Vec::new(),
            functions: Vec::new(),
            classes: Vec::new(),
            names: Vec::new(),
            sites: Vec::new(),
            captures: Vec::new(),
        };
        Scope {
            code,
            locals: HashMap::new(),
            cells: HashSet::new(),
            free: Vec::new(),
            next: 0,
            loops: Vec::new(),
            is_module,
        }
    }

    fn function(program: &mut Program, around: &Scope, function: &Function) -> Result<Code, String> {
        let (mut assigned, mut inner, mut outer) = (HashSet::new(), HashSet::new(), HashSet::new());
        analyse(&function.body, &mut assigned, &mut inner, &mut outer);
        let mut scope = Scope::new(&function.name, function.parameters.len() as u8, false);
        for parameter in &function.parameters {
            let register = scope.register()?;
            scope.locals.insert(parameter.clone(), register);
        }
        let mut others: Vec<&String> = assigned.iter().filter(|name| !outer.contains(*name)).collect();
        others.sort();
        for name in others {
            if !scope.locals.contains_key(name) {
                let register = scope.register()?;
                scope.locals.insert(name.clone(), register);
            }
        }
        scope.cells = scope.locals.keys().filter(|name| inner.contains(*name)).cloned().collect();
        let mut taken = HashSet::new();
        uses(function, &mut taken);
        let mut taken: Vec<String> = taken.into_iter().collect();
        taken.sort();
        for name in taken {
            if let Some(capture) = (Around { scope: around }).capture(&name) {
                scope.free.push(name);
                scope.code.captures.push(capture);
            }
        }
        let mut cells: Vec<Reg> =
            scope.cells.iter().filter_map(|name| scope.locals.get(name).copied()).collect();
        cells.sort_unstable();
        for at in cells {
            scope.emit(Op::MakeCell { at });
        }
        scope.block(program, &function.body)?;
        scope.end();
        Ok(scope.code)
    }

    fn end(&mut self) {
        let none = self.constant(Value::NONE);
        let to = (self.next.min(255)) as Reg;
        self.code.registers = self.code.registers.max(self.next + 1);
        self.emit(Op::Const { to, index: none });
        self.emit(Op::Return { from: to });
    }

    fn emit(&mut self, op: Op) -> usize {
        self.code.ops.push(op);
        self.code.ops.len() - 1
    }

    fn register(&mut self) -> Result<Reg, String> {
        let register = u8::try_from(self.next).ok().filter(|&it| it < 250);
        self.next += 1;
        self.code.registers = self.code.registers.max(self.next);
        register.ok_or(format!("{} needs too many registers", self.code.name))
    }

    fn constant(&mut self, value: Value) -> u16 {
        self.code.constants.push(value);
        self.code.constants.len() as u16 - 1
    }

    fn site(&mut self, name: Name) -> u16 {
        self.code.sites.push((name, Cell::new(InlineCache::new())));
        self.code.sites.len() as u16 - 1
    }

    fn here(&self) -> u32 {
        self.code.ops.len() as u32
    }

    /// Sets the target of a jump to the next instruction.
    fn land(&mut self, at: usize) {
        let here = self.here();
        self.aim(at, here);
    }

    fn aim(&mut self, at: usize, target: u32) {
        match &mut self.code.ops[at] {
            Op::Jump { to }
            | Op::JumpIf { to, .. }
            | Op::Unless { to, .. }
            | Op::UnlessSmall { to, .. }
            | Op::IfNone { to, .. }
            | Op::ForRange { to, .. }
            | Op::ForList { to, .. } => *to = target,
            _ => {}
        }
    }

    fn block(&mut self, program: &mut Program, body: &[Stmt]) -> Result<(), String> {
        for statement in body {
            let next = self.next;
            self.statement(program, statement)?;
            self.next = next;
        }
        Ok(())
    }

    fn statement(&mut self, program: &mut Program, statement: &Stmt) -> Result<(), String> {
        match statement {
            Stmt::Pass | Stmt::Nonlocal(_) | Stmt::Global(_) => {}
            Stmt::Expr(expr) => drop(self.expr(program, expr)?),
            Stmt::Assign(targets, value) => {
                if let ([Expr::Name(name)], Some(register)) = (&targets[..], self.plain_local(&targets[0])) {
                    let _ = name;
                    return self.expr_to(program, value, register);
                }
                let from = self.expr(program, value)?;
                for target in targets {
                    self.store(program, target, from)?;
                }
            }
            Stmt::Augment(target, op, value) => {
                let combined = Expr::Binary(*op, Box::new(target.clone()), Box::new(value.clone()));
                if let Some(register) = self.plain_local(target) {
                    return self.expr_to(program, &combined, register);
                }
                let from = self.expr(program, &combined)?;
                self.store(program, target, from)?;
            }
            Stmt::If(test, body, other) => {
                let mut exits = Vec::new();
                self.branch(program, test, false, &mut exits)?;
                self.block(program, body)?;
                let over = (!other.is_empty()).then(|| self.emit(Op::Jump { to: 0 }));
                exits.into_iter().for_each(|exit| self.land(exit));
                self.block(program, other)?;
                over.into_iter().for_each(|over| self.land(over));
            }
            Stmt::While(test, body) => {
                let top = self.here();
                let mut exits = Vec::new();
                if !matches!(test, Expr::True) {
                    self.branch(program, test, false, &mut exits)?;
                }
                self.rounds(program, body, top, exits)?;
            }
            Stmt::For(name, over, body) => self.for_loop(program, name, over, body)?,
            Stmt::Def(function) => {
                let to = self.register()?;
                self.make_function(program, function, to)?;
                self.store(program, &Expr::Name(function.name.clone()), to)?;
            }
            Stmt::Class(class) => self.class(program, class)?,
            Stmt::Return(value) => {
                let from = self.expr(program, value.as_ref().unwrap_or(&Expr::None))?;
                self.emit(Op::Return { from });
            }
            Stmt::Break | Stmt::Continue => {
                let jump = self.emit(Op::Jump { to: 0 });
                let Some((ends, nexts)) = self.loops.last_mut() else {
                    return Err("break outside a loop".into());
                };
                if matches!(statement, Stmt::Break) { ends.push(jump) } else { nexts.push(jump) }
            }
        }
        Ok(())
    }

    /// The body of a loop whose head starts at `top`, and which `exits` leave.
    fn rounds(
        &mut self,
        program: &mut Program,
        body: &[Stmt],
        top: u32,
        exits: Vec<usize>,
    ) -> Result<(), String> {
        self.loops.push((exits, Vec::new()));
        self.block(program, body)?;
        self.emit(Op::Jump { to: top });
        if let Some((ends, nexts)) = self.loops.pop() {
            nexts.into_iter().for_each(|next| self.aim(next, top));
            ends.into_iter().for_each(|end| self.land(end));
        }
        Ok(())
    }

    fn for_loop(
        &mut self,
        program: &mut Program,
        name: &str,
        over: &Expr,
        body: &[Stmt],
    ) -> Result<(), String> {
        let target = Expr::Name(name.into());
        let range = match over {
            Expr::Call(callee, arguments) => match &**callee {
                Expr::Name(callee) if callee == "range" => Some(&arguments[..]),
                _ => None,
            },
            _ => None,
        };
        let first = self.register()?;
        let counter = self.register()?;
        let item = self.register()?;
        let (start, limit) = match range {
            Some([limit]) => (Expr::Number(0), limit),
            Some([start, limit]) => (start.clone(), limit),
            Some(_) => return Err("range takes one or two numbers here".into()),
            None => (Expr::Number(0), over),
        };
        self.expr_to(program, limit, first)?;
        let before = Expr::Binary(Binary::Sub, Box::new(start), Box::new(Expr::Number(1)));
        self.expr_to(program, &before, counter)?;
        let top = self.here();
        let (exit, from) = match range {
            Some(_) => (self.emit(Op::ForRange { limit: first, to: 0 }), counter),
            None => (self.emit(Op::ForList { list: first, to: 0 }), item),
        };
        self.store(program, &target, from)?;
        self.rounds(program, body, top, vec![exit])
    }

    fn make_function(&mut self, program: &mut Program, function: &Function, to: Reg) -> Result<(), String> {
        let code = Scope::function(program, self, function)?;
        self.code.functions.push(Box::leak(Box::new(code)));
        let index = self.code.functions.len() as u16 - 1;
        self.emit(Op::MakeFunction { to, index });
        Ok(())
    }

    fn class(&mut self, program: &mut Program, class: &Class) -> Result<(), String> {
        let at = self.register()?;
        self.expr_to(program, class.base.as_ref().unwrap_or(&Expr::None), at)?;
        let slots =
            class.slots.as_ref().map(|slots| slots.iter().map(|slot| program.names.intern(slot)).collect());
        self.code.classes.push(ClassPlan { name: class.name.clone(), slots });
        let index = self.code.classes.len() as u16 - 1;
        self.emit(Op::MakeClass { at, index });
        for (name, member) in &class.members {
            let from = self.register()?;
            match member {
                Member::Function(function) => self.make_function(program, function, from)?,
                Member::Value(value) => self.expr_to(program, value, from)?,
            }
            self.code.names.push(program.names.intern(name));
            let index = self.code.names.len() as u16 - 1;
            self.emit(Op::SetMember { class: at, from, index });
        }
        self.store(program, &Expr::Name(class.name.clone()), at)
    }

    /// The register of a variable that is no cell.
    fn plain_local(&self, expr: &Expr) -> Option<Reg> {
        let Expr::Name(name) = expr else { return None };
        if self.cells.contains(name) { None } else { self.locals.get(name).copied() }
    }

    fn store(&mut self, program: &mut Program, target: &Expr, from: Reg) -> Result<(), String> {
        match target {
            Expr::Name(name) => {
                let op = if let Some(&register) = self.locals.get(name) {
                    if self.cells.contains(name) {
                        Op::StoreCell { cell: register, from }
                    } else {
                        Op::Move { to: register, from }
                    }
                } else if let Some(index) = self.free.iter().position(|known| known == name) {
                    Op::StoreFree { index: index as u8, from }
                } else {
                    Op::StoreGlobal { index: program.global(name), from }
                };
                self.emit(op);
            }
            Expr::Attribute(object, name) => {
                let object = self.expr(program, object)?;
                let site = self.site(program.names.intern(name));
                self.emit(Op::StoreAttr { object, from, site });
            }
            Expr::Index(object, index) => {
                let object = self.expr(program, object)?;
                let index = self.expr(program, index)?;
                self.emit(Op::StoreItem { object, index, from });
            }
            _ => return Err("this cannot be assigned to".into()),
        }
        Ok(())
    }

    /// Jumps out, to be set by the caller, if `test` is `when`.
    fn branch(
        &mut self,
        program: &mut Program,
        test: &Expr,
        when: bool,
        exits: &mut Vec<usize>,
    ) -> Result<(), String> {
        let next = self.next;
        match test {
            Expr::Not(inner) => return self.branch(program, inner, !when, exits),
            Expr::And(a, b) if !when => {
                self.branch(program, a, false, exits)?;
                self.branch(program, b, false, exits)?;
            }
            Expr::Or(a, b) if when => {
                self.branch(program, a, true, exits)?;
                self.branch(program, b, true, exits)?;
            }
            Expr::Or(a, b) => {
                let mut inside = Vec::new();
                self.branch(program, a, true, &mut inside)?;
                self.branch(program, b, false, exits)?;
                inside.into_iter().for_each(|jump| self.land(jump));
            }
            Expr::Compare(op @ (Compare::Is | Compare::IsNot), a, b) if matches!(**b, Expr::None) => {
                let a = self.expr(program, a)?;
                let when = when == (*op == Compare::Is);
                exits.push(self.emit(Op::IfNone { when, a, to: 0 }));
            }
            Expr::Compare(op, a, b) if !when => {
                let a = self.expr(program, a)?;
                match **b {
                    Expr::Number(number @ -128..128) => {
                        exits.push(self.emit(Op::UnlessSmall { op: *op, a, number: number as i8, to: 0 }));
                    }
                    _ => {
                        let b = self.expr(program, b)?;
                        exits.push(self.emit(Op::Unless { op: *op, a, b, to: 0 }));
                    }
                }
            }
            _ => {
                let a = self.expr(program, test)?;
                exits.push(self.emit(Op::JumpIf { when, a, to: 0 }));
            }
        }
        self.next = next;
        Ok(())
    }

    /// A register with the value: that of a variable, or a new one.
    fn expr(&mut self, program: &mut Program, expr: &Expr) -> Result<Reg, String> {
        if let Some(register) = self.plain_local(expr) {
            return Ok(register);
        }
        let to = self.register()?;
        self.expr_to(program, expr, to)?;
        Ok(to)
    }

    fn expr_to(&mut self, program: &mut Program, expr: &Expr, to: Reg) -> Result<(), String> {
        let next = self.next;
        match expr {
            Expr::None => self.load_constant(to, Value::NONE),
            Expr::True => self.load_constant(to, Value::TRUE),
            Expr::False => self.load_constant(to, Value::FALSE),
            Expr::Number(number) => match i16::try_from(*number) {
                Ok(number) => drop(self.emit(Op::Small { to, number })),
                Err(_) => self.load_constant(to, Value::number(*number)),
            },
            Expr::Text(text) => self.load_constant(to, Value::text(text)),
            Expr::Name(name) => {
                let op = if let Some(&register) = self.locals.get(name) {
                    if self.cells.contains(name) {
                        Op::LoadCell { to, cell: register }
                    } else {
                        Op::Move { to, from: register }
                    }
                } else if let Some(index) = self.free.iter().position(|known| known == name) {
                    Op::LoadFree { to, index: index as u8 }
                } else {
                    Op::LoadGlobal { to, index: program.global(name) }
                };
                self.emit(op);
            }
            Expr::List(items) => {
                let first = self.next as Reg;
                for item in items {
                    let register = self.register()?;
                    self.expr_to(program, item, register)?;
                }
                self.emit(Op::MakeList { to, first, count: items.len() as u8 });
            }
            Expr::Binary(op, a, b) => {
                let a = self.expr(program, a)?;
                match **b {
                    Expr::Number(number @ -32768..32768) => {
                        self.emit(Op::BinarySmall { op: *op, to, a, number: number as i16 });
                    }
                    _ => {
                        let b = self.expr(program, b)?;
                        self.emit(Op::Binary { op: *op, to, a, b });
                    }
                }
            }
            Expr::Compare(op, a, b) => {
                let a = self.expr(program, a)?;
                let b = self.expr(program, b)?;
                self.emit(Op::Compare { op: *op, to, a, b });
            }
            Expr::Not(a) => {
                let a = self.expr(program, a)?;
                self.emit(Op::Not { to, a });
            }
            Expr::Negative(a) => {
                let zero = self.expr(program, &Expr::Number(0))?;
                let b = self.expr(program, a)?;
                self.emit(Op::Binary { op: Binary::Sub, to, a: zero, b });
            }
            Expr::And(a, b) | Expr::Or(a, b) => {
                // The target may be a variable that the second operand reads.
                let result = self.register()?;
                self.expr_to(program, a, result)?;
                let when = matches!(expr, Expr::Or(_, _));
                let over = self.emit(Op::JumpIf { when, a: result, to: 0 });
                self.expr_to(program, b, result)?;
                self.land(over);
                self.emit(Op::Take { to, from: result });
            }
            Expr::Attribute(object, name) => {
                let object = self.expr(program, object)?;
                let site = self.site(program.names.intern(name));
                self.emit(Op::LoadAttr { to, object, site });
            }
            Expr::Index(object, index) => {
                let object = self.expr(program, object)?;
                let index = self.expr(program, index)?;
                self.emit(Op::LoadItem { to, object, index });
            }
            Expr::Call(callee, arguments) => {
                // In the target itself, if that is the last register and no variable.
                let is_last = usize::from(to) + 1 == self.next && usize::from(to) >= self.locals.len();
                let first = if is_last { to } else { self.register()? };
                let method = if let Expr::Attribute(object, name) = &**callee {
                    self.expr_to(program, object, first)?;
                    Some(program.names.intern(name))
                } else {
                    self.expr_to(program, callee, first)?;
                    None
                };
                for argument in arguments {
                    let register = self.register()?;
                    self.expr_to(program, argument, register)?;
                    self.next = register as usize + 1;
                }
                let count = arguments.len() as u8;
                let site = self.site(method.unwrap_or(program.names.intern("__init__")));
                self.emit(match method {
                    Some(_) => Op::CallMethod { first, count, site },
                    None => Op::Call { first, count, site },
                });
                if first != to {
                    self.emit(Op::Take { to, from: first });
                }
            }
        }
        self.next = next;
        Ok(())
    }

    fn load_constant(&mut self, to: Reg, value: Value) {
        let index = self.constant(value);
        self.emit(Op::Const { to, index });
    }
}
