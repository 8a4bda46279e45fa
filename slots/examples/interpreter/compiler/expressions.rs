//! Expressions to code.

use crate::code::{Op, Reg};
use crate::compiler::{Program, Scope};
use crate::syntax::{Binary, Compare, Expr};
use crate::value::Value;

impl Scope {
    /// The register of a variable that is no cell.
    pub(super) fn plain_local(&self, expr: &Expr) -> Option<Reg> {
        let Expr::Name(name) = expr else { return None };
        if self.cells.contains(name) { None } else { self.locals.get(name).copied() }
    }

    /// Jumps out, to be set by the caller, if `test` is `when`.
    pub(super) fn branch(
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
    pub(super) fn expr(&mut self, program: &mut Program, expr: &Expr) -> Result<Reg, String> {
        if let Some(register) = self.plain_local(expr) {
            return Ok(register);
        }
        let to = self.register()?;
        self.expr_to(program, expr, to)?;
        Ok(to)
    }

    pub(super) fn expr_to(&mut self, program: &mut Program, expr: &Expr, to: Reg) -> Result<(), String> {
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
