//! A tree to code: one register for each local variable, others for what is in between.
//!
//! `names` says which variables are local, `statements` and `expressions` emit the code.

mod expressions;
mod names;
mod statements;

use std::cell::Cell;
use std::collections::{HashMap, HashSet};

use cpymem_slots::object::{InlineCache, Name, Shapes};

use crate::code::{Capture, Code, Module, Op, Reg};
use crate::syntax::{Function, Stmt};
use crate::value::Value;
use names::{Names, taken};

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
        let Names { assigned, inner, outer } = Names::of(function);
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
        let mut taken: Vec<String> = taken(function).into_iter().collect();
        taken.sort();
        for name in taken {
            if let Some(capture) = around.capture(&name) {
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

    /// How a function in this one gets at a variable of this one, or of those around.
    fn capture(&self, name: &str) -> Option<Capture> {
        if self.is_module {
            return None;
        }
        if self.cells.contains(name) {
            return self.locals.get(name).map(|&register| Capture::Register(register));
        }
        let index = self.free.iter().position(|known| known == name)?;
        Some(Capture::Free(index as u8))
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
}
