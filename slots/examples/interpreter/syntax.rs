//! The tree of a program.

/// An operation on two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binary {
    Add,
    Sub,
    Mul,
    FloorDiv,
    Mod,
    And,
    Or,
    Xor,
    Shl,
    Shr,
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compare {
    Lt,
    Le,
    Gt,
    Ge,
    Eq,
    Ne,
    Is,
    IsNot,
}

#[derive(Clone, Debug)]
pub(crate) enum Expr {
    None,
    True,
    False,
    Number(i64),
    Text(String),
    Name(String),
    List(Vec<Expr>),
    Binary(Binary, Box<Expr>, Box<Expr>),
    Compare(Compare, Box<Expr>, Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Not(Box<Expr>),
    Negative(Box<Expr>),
    Attribute(Box<Expr>, String),
    Index(Box<Expr>, Box<Expr>),
    Call(Box<Expr>, Vec<Expr>),
}

#[derive(Clone, Debug)]
pub(crate) enum Stmt {
    Expr(Expr),
    Assign(Vec<Expr>, Expr),
    Augment(Expr, Binary, Expr),
    If(Expr, Vec<Stmt>, Vec<Stmt>),
    While(Expr, Vec<Stmt>),
    For(String, Expr, Vec<Stmt>),
    Def(Function),
    Class(Class),
    Return(Option<Expr>),
    Nonlocal(Vec<String>),
    Global(Vec<String>),
    Break,
    Continue,
    Pass,
}

#[derive(Clone, Debug)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) parameters: Vec<String>,
    pub(crate) body: Vec<Stmt>,
}

#[derive(Clone, Debug)]
pub(crate) struct Class {
    pub(crate) name: String,
    pub(crate) base: Option<Expr>,
    pub(crate) slots: Option<Vec<String>>,
    /// Functions and values, in order.
    pub(crate) members: Vec<(String, Member)>,
}

#[derive(Clone, Debug)]
pub(crate) enum Member {
    Function(Function),
    Value(Expr),
}
