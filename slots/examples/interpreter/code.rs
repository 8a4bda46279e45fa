//! Code of a register machine.

use std::cell::Cell;

use cpymem_slots::object::{InlineCache, Name, Shapes};

use crate::syntax::{Binary, Compare};
use crate::value::Value;

/// A register of a frame.
pub(crate) type Reg = u8;

/// An instruction: 8 bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    Const {
        to: Reg,
        index: u16,
    },
    Small {
        to: Reg,
        number: i16,
    },
    Move {
        to: Reg,
        from: Reg,
    },
    /// Moves and leaves `None` behind.
    Take {
        to: Reg,
        from: Reg,
    },
    Binary {
        op: Binary,
        to: Reg,
        a: Reg,
        b: Reg,
    },
    /// With a number for the second operand.
    BinarySmall {
        op: Binary,
        to: Reg,
        a: Reg,
        number: i16,
    },
    Compare {
        op: Compare,
        to: Reg,
        a: Reg,
        b: Reg,
    },
    Not {
        to: Reg,
        a: Reg,
    },
    Jump {
        to: u32,
    },
    JumpIf {
        when: bool,
        a: Reg,
        to: u32,
    },
    /// Jumps if the comparison is *not* true.
    Unless {
        op: Compare,
        a: Reg,
        b: Reg,
        to: u32,
    },
    /// Jumps if the comparison with a number is *not* true.
    UnlessSmall {
        op: Compare,
        a: Reg,
        number: i8,
        to: u32,
    },
    /// Jumps if it is (or is not) `None`.
    IfNone {
        when: bool,
        a: Reg,
        to: u32,
    },
    LoadGlobal {
        to: Reg,
        index: u16,
    },
    StoreGlobal {
        index: u16,
        from: Reg,
    },
    /// Puts what is in a register into a new cell.
    MakeCell {
        at: Reg,
    },
    LoadCell {
        to: Reg,
        cell: Reg,
    },
    StoreCell {
        cell: Reg,
        from: Reg,
    },
    LoadFree {
        to: Reg,
        index: u8,
    },
    StoreFree {
        index: u8,
        from: Reg,
    },
    LoadAttr {
        to: Reg,
        object: Reg,
        site: u16,
    },
    StoreAttr {
        object: Reg,
        from: Reg,
        site: u16,
    },
    LoadItem {
        to: Reg,
        object: Reg,
        index: Reg,
    },
    StoreItem {
        object: Reg,
        index: Reg,
        from: Reg,
    },
    MakeList {
        to: Reg,
        first: Reg,
        count: u8,
    },
    MakeFunction {
        to: Reg,
        index: u16,
    },
    /// The base, or `None`, is in the register.
    MakeClass {
        at: Reg,
        index: u16,
    },
    SetMember {
        class: Reg,
        from: Reg,
        index: u16,
    },
    /// The callee is in the first register, arguments behind it; the result goes there.
    Call {
        first: Reg,
        count: u8,
        site: u16,
    },
    /// The object is in the first register, arguments behind it; the result goes there.
    CallMethod {
        first: Reg,
        count: u8,
        site: u16,
    },
    Return {
        from: Reg,
    },
    /// Adds one to the counter behind the limit; leaves the loop at the limit.
    ForRange {
        limit: Reg,
        to: u32,
    },
    /// The next item of the list in the register, by the counter behind it, into the register behind that.
    ForList {
        list: Reg,
        to: u32,
    },
}

const _: () = assert!(size_of::<Op>() == 8);

/// Where a captured variable comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Capture {
    /// A cell in a register of the function around.
    Register(Reg),
    /// A variable that the function around has captured itself.
    Free(u8),
}

/// A function, compiled. Code is never freed: a program's lives as long as the process.
pub(crate) struct Code {
    pub(crate) name: String,
    pub(crate) parameters: u8,
    pub(crate) registers: usize,
    pub(crate) ops: Vec<Op>,
    pub(crate) constants: Vec<Value>,
    pub(crate) functions: Vec<&'static Code>,
    pub(crate) classes: Vec<ClassPlan>,
    /// Names of members and sites.
    pub(crate) names: Vec<Name>,
    pub(crate) sites: Vec<(Name, Cell<InlineCache>)>,
    pub(crate) captures: Vec<Capture>,
}

/// What a class statement says.
pub(crate) struct ClassPlan {
    pub(crate) name: String,
    pub(crate) slots: Option<Vec<Name>>,
}

/// A program, compiled.
pub(crate) struct Module {
    pub(crate) code: &'static Code,
    pub(crate) globals: Vec<String>,
    /// What the numbers of names mean: for messages.
    pub(crate) names: Shapes,
}
