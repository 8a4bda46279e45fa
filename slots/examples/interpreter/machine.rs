//! The machine: frames on one stack of registers.

use std::cell::RefCell;
use std::cmp::Ordering;

use cpymem_cyclegc::Gc;
use cpymem_slots::object::{Caches, Instance, Loaded, Stored};

use crate::code::{Capture, Code, Module, Op};
use crate::object::{ClassOf, Function, Object};
use crate::syntax::{Binary, Compare};
use crate::value::Value;

/// Calls inside one another.
const DEEPEST: usize = 20_000;
/// Registers of all frames.
const REGISTERS: usize = 1 << 20;

/// A function that waits for one that it has called.
struct Frame {
    code: &'static Code,
    /// The next instruction.
    next: usize,
    /// Its first register.
    window: usize,
    /// Where its result goes.
    target: usize,
    /// For its cells.
    closure: Value,
    /// If it is an `__init__`: the new object, which is the result.
    made: Value,
}

pub(crate) struct Machine {
    registers: Vec<Value>,
    globals: Vec<Value>,
    caches: Caches,
    output: String,
}

impl Machine {
    pub(crate) fn new(globals: usize) -> Machine {
        let mut values = crate::builtins::all();
        values.resize(globals.max(values.len()), Value::UNSET);
        Machine {
            registers: vec![Value::NONE; REGISTERS],
            globals: values,
            caches: Caches::new(),
            output: String::new(),
        }
    }

    pub(crate) fn print(&mut self, line: &str) {
        self.output.push_str(line);
        self.output.push('\n');
    }

    pub(crate) fn into_output(self) -> String {
        self.output
    }

    /// Runs a program.
    pub(crate) fn run(&mut self, module: &Module) -> Result<(), String> {
        let (names, texts) = (&module.globals, &module.names);
        let mut around: Vec<Frame> = Vec::new();
        let mut registers = std::mem::take(&mut self.registers);
        // What runs now: as `Frame` has it.
        let (mut code, mut next, mut window, mut target) = (module.code, 0, 1, 0);
        let (mut closure, mut made) = (Value::NONE, Value::NONE);
        macro_rules! fail {
            ($($what:tt)*) => { return Err(format!("in {}: {}", code.name, format_args!($($what)*))) };
        }
        macro_rules! reg {
            ($register:expr) => {
                registers[window + usize::from($register)]
            };
        }
        macro_rules! attempt {
            ($result:expr) => {
                match $result {
                    Ok(value) => value,
                    Err(error) => fail!("{error}"),
                }
            };
        }
        // Goes on with a function, whose arguments start at a register.
        macro_rules! call {
            ($function:expr, $first:expr, $result:expr, $count:expr, $made:expr) => {{
                let function: Value = $function;
                let called = attempt!(entered(&function, $first, $count));
                if around.len() == DEEPEST {
                    fail!("maximum recursion depth exceeded");
                }
                let closure = std::mem::replace(&mut closure, function);
                let made = std::mem::replace(&mut made, $made);
                around.push(Frame { code, next, window, target, closure, made });
                (code, next, window, target) = (called, 0, $first, $result);
            }};
        }
        loop {
            let op = code.ops[next];
            next += 1;
            match op {
                Op::Const { to, index } => reg!(to) = code.constants[usize::from(index)].clone(),
                Op::Small { to, number } => reg!(to) = Value::number(number.into()),
                Op::Move { to, from } => reg!(to) = reg!(from).clone(),
                Op::Take { to, from } => reg!(to) = std::mem::replace(&mut reg!(from), Value::NONE),
                Op::Binary { op, to, a, b } => {
                    let result = match (reg!(a).as_number(), reg!(b).as_number()) {
                        (Some(a), Some(b)) => attempt!(arithmetic(op, a, b)),
                        _ => attempt!(combine(op, &reg!(a), &reg!(b))),
                    };
                    reg!(to) = result;
                }
                Op::BinarySmall { op, to, a, number } => {
                    let result = match reg!(a).as_number() {
                        Some(a) => attempt!(arithmetic(op, a, number.into())),
                        None => attempt!(combine(op, &reg!(a), &Value::number(number.into()))),
                    };
                    reg!(to) = result;
                }
                Op::Compare { op, to, a, b } => {
                    let result = attempt!(compare(op, &reg!(a), &reg!(b)));
                    reg!(to) = Value::bool(result);
                }
                Op::Not { to, a } => reg!(to) = Value::bool(!reg!(a).is_true()),
                Op::Jump { to } => next = to as usize,
                Op::JumpIf { when, a, to } => {
                    if reg!(a).is_true() == when {
                        next = to as usize;
                    }
                }
                Op::Unless { op, a, b, to } => {
                    let holds = match (reg!(a).as_number(), reg!(b).as_number()) {
                        (Some(a), Some(b)) => numbers(op, a, b),
                        _ => attempt!(compare(op, &reg!(a), &reg!(b))),
                    };
                    if !holds {
                        next = to as usize;
                    }
                }
                Op::UnlessSmall { op, a, number, to } => {
                    let holds = match reg!(a).as_number() {
                        Some(a) => numbers(op, a, number.into()),
                        None => attempt!(compare(op, &reg!(a), &Value::number(number.into()))),
                    };
                    if !holds {
                        next = to as usize;
                    }
                }
                Op::IfNone { when, a, to } => {
                    if reg!(a).is(&Value::NONE) == when {
                        next = to as usize;
                    }
                }
                Op::LoadGlobal { to, index } => {
                    let value = self.globals[usize::from(index)].clone();
                    if value.is(&Value::UNSET) {
                        fail!("name '{}' is not defined", names[usize::from(index)]);
                    }
                    reg!(to) = value;
                }
                Op::StoreGlobal { index, from } => self.globals[usize::from(index)] = reg!(from).clone(),
                Op::MakeCell { at } => {
                    let inside = std::mem::replace(&mut reg!(at), Value::NONE);
                    reg!(at) = Value::object(Gc::new(Object::Cell(RefCell::new(inside))));
                }
                Op::LoadCell { to, cell } => {
                    let value = attempt!(load_cell(&reg!(cell)));
                    reg!(to) = value;
                }
                Op::StoreCell { cell, from } => {
                    let value = reg!(from).clone();
                    drop(attempt!(store_cell(&reg!(cell), value)));
                }
                Op::LoadFree { to, index } => {
                    let Some(Object::Function(function)) = closure.as_object() else { fail!("no closure") };
                    let value = attempt!(load_cell(&function.cells[usize::from(index)]));
                    reg!(to) = value;
                }
                Op::StoreFree { index, from } => {
                    let value = reg!(from).clone();
                    let Some(Object::Function(function)) = closure.as_object() else { fail!("no closure") };
                    drop(attempt!(store_cell(&function.cells[usize::from(index)], value)));
                }
                Op::LoadAttr { to, object, site } => {
                    let (name, cache) = &code.sites[usize::from(site)];
                    let mut seen = cache.get();
                    let result = match reg!(object).as_object() {
                        Some(Object::Instance(instance)) => {
                            let instance = instance.borrow();
                            match instance.get_cached(&mut seen, &mut self.caches, *name) {
                                Ok(Loaded::Own(value)) => Ok(value.clone()),
                                Ok(Loaded::Shared(value) | Loaded::Property(value)) => Ok(value),
                                Ok(Loaded::Method(function)) => {
                                    let method = Object::Method(function, reg!(object).clone());
                                    Ok(Value::object(Gc::new(method)))
                                }
                                Err(error) => Err(error.message(instance.class().name(), texts)),
                            }
                        }
                        Some(Object::Class(class)) => {
                            class.get(*name).ok_or("no such class attribute".into())
                        }
                        _ => Err("this value has no attributes".into()),
                    };
                    cache.set(seen);
                    let value = attempt!(result);
                    reg!(to) = value;
                }
                Op::StoreAttr { object, from, site } => {
                    let value = reg!(from).clone();
                    let (name, cache) = &code.sites[usize::from(site)];
                    let mut seen = cache.get();
                    let stored = match reg!(object).as_object() {
                        Some(Object::Instance(instance)) => {
                            let mut instance = instance.borrow_mut();
                            let stored = instance.set_cached(&mut seen, &mut self.caches, *name, value);
                            stored.map_err(|error| error.to_string())
                        }
                        Some(Object::Class(class)) => Ok(Stored::Done(class.set(*name, value))),
                        _ => Err("this value has no attributes".into()),
                    };
                    cache.set(seen);
                    // What was there before dies here, when nothing is borrowed.
                    drop(attempt!(stored));
                }
                Op::LoadItem { to, object, index } => {
                    let value = match (reg!(object).as_object(), reg!(index).as_number()) {
                        (Some(Object::List(items)), Some(index)) => {
                            let items = items.borrow();
                            let at = if index < 0 { index + items.len() as i64 } else { index };
                            items.get(at as usize).cloned().ok_or("list index out of range")
                        }
                        _ => Err("this cannot be indexed"),
                    };
                    reg!(to) = attempt!(value);
                }
                Op::StoreItem { object, index, from } => {
                    let value = reg!(from).clone();
                    let before = match (reg!(object).as_object(), reg!(index).as_number()) {
                        (Some(Object::List(items)), Some(index)) => {
                            let mut items = items.borrow_mut();
                            let at = if index < 0 { index + items.len() as i64 } else { index };
                            let place =
                                items.get_mut(at as usize).ok_or("list assignment index out of range");
                            place.map(|place| std::mem::replace(place, value))
                        }
                        _ => Err("this cannot be indexed"),
                    };
                    drop(attempt!(before));
                }
                Op::MakeList { to, first, count } => {
                    let first = window + usize::from(first);
                    let items = &mut registers[first..first + usize::from(count)];
                    let items: Vec<Value> =
                        items.iter_mut().map(|item| std::mem::replace(item, Value::NONE)).collect();
                    reg!(to) = Value::object(Gc::new(Object::List(RefCell::new(items))));
                }
                Op::MakeFunction { to, index } => {
                    let inner = code.functions[usize::from(index)];
                    let capture = |capture: &Capture| match *capture {
                        Capture::Register(register) => reg!(register).clone(),
                        Capture::Free(index) => match closure.as_object() {
                            Some(Object::Function(function)) => function.cells[usize::from(index)].clone(),
                            _ => Value::NONE,
                        },
                    };
                    let cells = inner.captures.iter().map(capture).collect();
                    reg!(to) = Value::object(Gc::new(Object::Function(Function { code: inner, cells })));
                }
                Op::MakeClass { at, index } => {
                    let plan = &code.classes[usize::from(index)];
                    let base = match reg!(at).as_object() {
                        Some(Object::Class(base)) => vec![base.clone()],
                        None if reg!(at).is(&Value::NONE) => Vec::new(),
                        _ => fail!("a base that is no class"),
                    };
                    let slots = plan.slots.as_deref();
                    let class =
                        ClassOf::make(&plan.name, &base, slots.unwrap_or(&[]), slots.is_none(), Gc::new);
                    let class = attempt!(class);
                    reg!(at) = Value::object(Gc::new(Object::Class(class)));
                }
                Op::SetMember { class, from, index } => {
                    let name = code.names[usize::from(index)];
                    let value = std::mem::replace(&mut reg!(from), Value::NONE);
                    if let Some(Object::Class(class)) = reg!(class).as_object() {
                        class.set(name, value);
                    }
                }
                Op::Call { first, count, site } => {
                    let at = window + usize::from(first);
                    let callee = std::mem::replace(&mut registers[at], Value::NONE);
                    match callee.as_object() {
                        Some(Object::Function(_)) => {
                            call!(callee, at + 1, at, count, Value::NONE);
                        }
                        Some(Object::Class(class)) => {
                            let instance = Instance::new(class);
                            let (name, cache) = &code.sites[usize::from(site)];
                            let mut seen = cache.get();
                            let init = match instance.get_cached(&mut seen, &mut self.caches, *name) {
                                Ok(Loaded::Method(function)) => Some(function),
                                _ => None,
                            };
                            cache.set(seen);
                            let object = Value::object(Gc::new(Object::Instance(RefCell::new(instance))));
                            match init {
                                Some(init) => {
                                    registers[at] = object.clone();
                                    call!(init, at, at, count + 1, object);
                                }
                                None if count == 0 => registers[at] = object,
                                None => fail!("{} takes no arguments", class.name()),
                            }
                        }
                        Some(Object::Method(function, object)) => {
                            registers[at] = object.clone();
                            call!(function.clone(), at, at, count + 1, Value::NONE);
                        }
                        Some(Object::Builtin(function)) => {
                            let arguments: Vec<Value> = (0..usize::from(count))
                                .map(|i| std::mem::replace(&mut registers[at + 1 + i], Value::NONE))
                                .collect();
                            registers[at] = attempt!(function(self, &arguments));
                        }
                        _ => fail!("this value cannot be called"),
                    }
                }
                Op::CallMethod { first, count, site } => {
                    let at = window + usize::from(first);
                    let (name, cache) = &code.sites[usize::from(site)];
                    let mut seen = cache.get();
                    // Whether the object itself is the first argument.
                    let found = match registers[at].as_object() {
                        Some(Object::Instance(instance)) => {
                            match instance.borrow().get_cached(&mut seen, &mut self.caches, *name) {
                                Ok(Loaded::Method(function)) => Ok((function, true)),
                                Ok(Loaded::Own(value)) => Ok((value.clone(), false)),
                                Ok(Loaded::Shared(value) | Loaded::Property(value)) => Ok((value, false)),
                                Err(error) => Err(error.to_string()),
                            }
                        }
                        Some(Object::Class(class)) => class
                            .get(*name)
                            .map(|value| (value, false))
                            .ok_or("no such class attribute".into()),
                        Some(Object::List(_)) => Ok((Value::NONE, false)),
                        _ => Err("this value has no methods".into()),
                    };
                    cache.set(seen);
                    let (function, binds) = attempt!(found);
                    if binds {
                        call!(function, at, at, count + 1, Value::NONE);
                    } else if function.is(&Value::NONE) {
                        let value = attempt!(call_list(&mut registers, at, count));
                        registers[at] = value;
                    } else {
                        call!(function, at + 1, at, count, Value::NONE);
                    }
                }
                Op::Return { from } => {
                    let mut value = std::mem::replace(&mut reg!(from), Value::NONE);
                    if !made.is(&Value::NONE) {
                        value = std::mem::replace(&mut made, Value::NONE);
                    }
                    let end = window + code.registers;
                    registers[window..end].iter_mut().for_each(|register| *register = Value::NONE);
                    registers[target] = value;
                    let Some(before) = around.pop() else { return Ok(()) };
                    (code, next, window, target) = (before.code, before.next, before.window, before.target);
                    (closure, made) = (before.closure, before.made);
                }
                Op::ForRange { limit, to } => {
                    let (Some(counter), Some(end)) = (reg!(limit + 1).as_number(), reg!(limit).as_number())
                    else {
                        fail!("range of something that is no number")
                    };
                    if counter + 1 >= end {
                        next = to as usize;
                    } else {
                        reg!(limit + 1) = Value::number(counter + 1);
                    }
                }
                Op::ForList { list, to } => {
                    let Some(counter) = reg!(list + 1).as_number() else { fail!("a loop without counter") };
                    let item = match reg!(list).as_object() {
                        Some(Object::List(items)) => items.borrow().get((counter + 1) as usize).cloned(),
                        _ => fail!("this cannot be iterated"),
                    };
                    match item {
                        Some(item) => {
                            reg!(list + 1) = Value::number(counter + 1);
                            reg!(list + 2) = item;
                        }
                        None => next = to as usize,
                    }
                }
            }
        }
    }
}

/// `append` and `pop`, told apart by their arguments: the only methods of lists.
fn call_list(registers: &mut [Value], at: usize, count: u8) -> Result<Value, String> {
    let argument = match count {
        0 => Value::NONE,
        _ => std::mem::replace(&mut registers[at + 1], Value::NONE),
    };
    let Some(Object::List(items)) = registers[at].as_object() else { return Err("no list".into()) };
    if count == 0 {
        return items.borrow_mut().pop().ok_or("pop from empty list".into());
    }
    items.borrow_mut().push(argument);
    Ok(Value::NONE)
}

/// The code of a function that is called with `count` arguments, which start at register `first`.
#[inline(always)]
fn entered(function: &Value, first: usize, count: u8) -> Result<&'static Code, String> {
    let Some(Object::Function(closure)) = function.as_object() else {
        return Err("this value cannot be called".into());
    };
    let code = closure.code;
    if count != code.parameters {
        return Err(format!("{}() takes {} arguments, got {count}", code.name, code.parameters));
    }
    if first + code.registers > REGISTERS {
        return Err("maximum recursion depth exceeded".into());
    }
    Ok(code)
}

fn load_cell(cell: &Value) -> Result<Value, String> {
    match cell.as_object() {
        Some(Object::Cell(value)) => Ok(value.borrow().clone()),
        _ => Err("a captured variable is not there".into()),
    }
}

/// The value before.
fn store_cell(cell: &Value, value: Value) -> Result<Value, String> {
    match cell.as_object() {
        Some(Object::Cell(place)) => Ok(place.replace(value)),
        _ => Err("a captured variable is not there".into()),
    }
}

#[inline(always)]
fn arithmetic(op: Binary, a: i64, b: i64) -> Result<Value, String> {
    let result = match op {
        Binary::Add => a + b,
        Binary::Sub => a - b,
        Binary::Mul => a.checked_mul(b).ok_or("a number of more than 62 bits")?,
        Binary::FloorDiv | Binary::Mod if b == 0 => return Err("division by zero".into()),
        Binary::FloorDiv => a.div_euclid(b) - i64::from(b < 0 && a.rem_euclid(b) != 0),
        Binary::Mod => a - b * (a.div_euclid(b) - i64::from(b < 0 && a.rem_euclid(b) != 0)),
        Binary::And => a & b,
        Binary::Or => a | b,
        Binary::Xor => a ^ b,
        Binary::Shl | Binary::Shr if !(0..62).contains(&b) => {
            return Err("a shift of more than 61 bits".into());
        }
        Binary::Shl => a.checked_mul(1 << b).ok_or("a number of more than 62 bits")?,
        Binary::Shr => a >> b,
    };
    if result << 2 >> 2 != result {
        return Err("a number of more than 62 bits".into());
    }
    Ok(Value::number(result))
}

/// What is no arithmetic of numbers: texts and lists.
#[cold]
fn combine(op: Binary, a: &Value, b: &Value) -> Result<Value, String> {
    match (op, a.as_text(), b.as_text(), a.as_object(), b.as_number()) {
        (Binary::Add, Some(a), Some(b), _, _) => Ok(Value::text(&format!("{a}{b}"))),
        (Binary::Mul, _, _, Some(Object::List(items)), Some(count)) => {
            let items = items.borrow();
            let copies = (0..count.max(0)).flat_map(|_| items.iter().cloned()).collect();
            Ok(Value::object(Gc::new(Object::List(RefCell::new(copies)))))
        }
        _ => Err(format!("unsupported operands for {op:?}")),
    }
}

#[inline(always)]
fn numbers(op: Compare, a: i64, b: i64) -> bool {
    match op {
        Compare::Lt => a < b,
        Compare::Le => a <= b,
        Compare::Gt => a > b,
        Compare::Ge => a >= b,
        Compare::Eq | Compare::Is => a == b,
        Compare::Ne | Compare::IsNot => a != b,
    }
}

fn compare(op: Compare, a: &Value, b: &Value) -> Result<bool, String> {
    if let (Some(a), Some(b)) = (a.as_number(), b.as_number()) {
        return Ok(numbers(op, a, b));
    }
    let texts = a.as_text().zip(b.as_text());
    Ok(match op {
        Compare::Is => a.is(b),
        Compare::IsNot => !a.is(b),
        Compare::Eq => texts.map_or(a.is(b), |(a, b)| a == b),
        Compare::Ne => texts.map_or(!a.is(b), |(a, b)| a != b),
        _ => {
            let (a, b) = texts.ok_or("these values have no order")?;
            match op {
                Compare::Lt => a.cmp(b) == Ordering::Less,
                Compare::Le => a.cmp(b) != Ordering::Greater,
                Compare::Gt => a.cmp(b) == Ordering::Greater,
                _ => a.cmp(b) != Ordering::Less,
            }
        }
    })
}
