//! Statements to code.

use crate::code::{ClassPlan, Op, Reg};
use crate::compiler::{Program, Scope};
use crate::syntax::{Binary, Class, Expr, Function, Member, Stmt};

impl Scope {
    pub(super) fn block(&mut self, program: &mut Program, body: &[Stmt]) -> Result<(), String> {
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
                if let [target] = &targets[..]
                    && let Some(register) = self.plain_local(target)
                {
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
}
