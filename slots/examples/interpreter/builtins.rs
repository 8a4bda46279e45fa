//! Built-in functions.

use cpymem_cyclegc::Gc;

use crate::machine::Machine;
use crate::object::Object;
use crate::value::Value;

/// A built-in function.
pub(crate) type Builtin = fn(&mut Machine, &[Value]) -> Result<Value, String>;

/// Their names: the first globals.
pub(crate) const NAMES: [&str; 5] = ["print", "len", "str", "range", "collect"];

pub(crate) fn all() -> Vec<Value> {
    let functions: [Builtin; 5] = [print, len, str, range, collect];
    functions.into_iter().map(|function| Value::object(Gc::new(Object::Builtin(function)))).collect()
}

fn print(machine: &mut Machine, arguments: &[Value]) -> Result<Value, String> {
    let texts: Vec<String> = arguments.iter().map(show).collect();
    machine.print(&texts.join(" "));
    Ok(Value::NONE)
}

fn show(value: &Value) -> String {
    match (value.as_number(), value.as_text()) {
        (Some(number), _) => number.to_string(),
        (_, Some(text)) => text.to_owned(),
        _ if value.is(&Value::NONE) => "None".into(),
        _ if value.is(&Value::TRUE) => "True".into(),
        _ if value.is(&Value::FALSE) => "False".into(),
        _ => "<object>".into(),
    }
}

fn one(arguments: &[Value]) -> Result<&Value, String> {
    if let [only] = arguments {
        Ok(only)
    } else {
        Err(format!("expected 1 argument, got {}", arguments.len()))
    }
}

fn len(_: &mut Machine, arguments: &[Value]) -> Result<Value, String> {
    let only = one(arguments)?;
    match (only.as_text(), only.as_object()) {
        (Some(text), _) => Ok(Value::number(text.chars().count() as i64)),
        (_, Some(Object::List(items))) => Ok(Value::number(items.borrow().len() as i64)),
        _ => Err("object has no len()".into()),
    }
}

fn str(_: &mut Machine, arguments: &[Value]) -> Result<Value, String> {
    Ok(Value::text(&show(one(arguments)?)))
}

fn range(_: &mut Machine, _: &[Value]) -> Result<Value, String> {
    Err("range is for loops alone".into())
}

/// A collection, as `gc.collect`; the number of unreachable objects is not told, as it differs from CPython's.
fn collect(_: &mut Machine, _: &[Value]) -> Result<Value, String> {
    cpymem_cyclegc::collect();
    Ok(Value::NONE)
}
