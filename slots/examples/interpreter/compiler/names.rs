//! The names in a function's body: which it assigns, which the functions in it use.

use std::collections::HashSet;

use crate::syntax::{Expr, Function, Member, Stmt};

/// What a function's body does with names.
#[derive(Default)]
pub(super) struct Names {
    /// Assigned here.
    pub(super) assigned: HashSet<String>,
    /// Used by the functions inside that do not assign them.
    pub(super) inner: HashSet<String>,
    /// Said to be of a function around, or global.
    pub(super) outer: HashSet<String>,
}

impl Names {
    pub(super) fn of(function: &Function) -> Names {
        let mut names = Names::default();
        names.add(&function.body);
        names
    }

    fn add(&mut self, body: &[Stmt]) {
        for statement in body {
            match statement {
                Stmt::Assign(targets, _) => {
                    let names = targets
                        .iter()
                        .filter_map(|it| if let Expr::Name(name) = it { Some(name) } else { None });
                    self.assigned.extend(names.cloned());
                }
                Stmt::Augment(Expr::Name(name), _, _) => drop(self.assigned.insert(name.clone())),
                Stmt::If(_, body, other) => {
                    self.add(body);
                    self.add(other);
                }
                Stmt::While(_, body) => self.add(body),
                Stmt::For(name, _, body) => {
                    self.assigned.insert(name.clone());
                    self.add(body);
                }
                Stmt::Def(function) => {
                    self.assigned.insert(function.name.clone());
                    self.inner.extend(taken(function));
                }
                Stmt::Class(class) => {
                    self.assigned.insert(class.name.clone());
                    for (_, member) in &class.members {
                        if let Member::Function(function) = member {
                            self.inner.extend(taken(function));
                        }
                    }
                }
                Stmt::Nonlocal(names) | Stmt::Global(names) => self.outer.extend(names.iter().cloned()),
                _ => {}
            }
        }
    }
}

/// Names that a function takes from around it.
pub(super) fn taken(function: &Function) -> HashSet<String> {
    let Names { mut assigned, inner: mut used, outer } = Names::of(function);
    assigned.extend(function.parameters.iter().cloned());
    function.body.iter().for_each(|statement| statement_names(statement, &mut used));
    used.retain(|name| !assigned.contains(name) || outer.contains(name));
    used
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
