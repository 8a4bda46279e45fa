//! Rows of the table of lives: what happened to some instances of a class, and what `sys.getsizeof` said in the end.

use cpymem_slots::model::{Builtin, Class, ClassLayout, Instance, Target};
use serde_json::Value;

use super::{Verdict, number, text};

/// Compares a row with the model: the sizes of all instances, and the errors of refused events.
pub(super) fn check(row: &Value) -> Result<Verdict, String> {
    let kind = text(row, "k")?;
    let Ok(target) = text(row, "v")?.parse::<Target>() else { return Ok(Verdict::Unknown) };
    let Some(layouts) = layouts(kind, target) else { return Ok(Verdict::Unknown) };
    let classes = layouts.map(|layout| Class::new(&layout));
    let mut instances: Vec<_> = (0..number(row, "n")?).map(|_| classes[0].instance()).collect();
    let events = row.get("ev").and_then(Value::as_array).ok_or("key ev: no list")?;
    for event in events {
        let Some(known) = happen(&mut instances, event, &classes)? else { return Ok(Verdict::Unknown) };
        if let Err(what) = known {
            return Ok(Verdict::Mismatch(format!("{kind} on {target}: {event}, model {what}")));
        }
    }
    let measured = row.get("gs").and_then(Value::as_array).ok_or("key gs: no list")?;
    if measured.len() != instances.len() {
        return Err(format!("key gs: {} instances, not {}", measured.len(), instances.len()));
    }
    let differs = |(pair, instance): (&Value, &Instance<'_>)| {
        let it = instance.footprint();
        let model = serde_json::json!([it.getsizeof(), it.getsizeof_dict()]);
        (*pair != model).then(|| format!("{pair}, model {model}"))
    };
    let wrong: Vec<String> = measured.iter().zip(&instances).filter_map(differs).collect();
    Ok(match wrong.first() {
        None => Verdict::Same,
        Some(first) => Verdict::Mismatch(format!("{kind} on {target}: {} differ: gs {first}", wrong.len())),
    })
}

/// Two classes of the same body; `None` if the kind or the target is not known.
fn layouts(kind: &str, target: Target) -> Option<[ClassLayout; 2]> {
    let builtin = |it| ClassLayout::builtin(it, target).ok();
    let object = builtin(Builtin::Object)?;
    let base = match kind {
        "dict" => object,
        "slots_dict" => {
            let slots = ["s", "t", "__dict__"];
            let [one, other] = ["C", "D"].map(|name| ClassLayout::with_slots(name, &[&object], &slots).ok());
            return Some([one?, other?]);
        }
        "slots_sub" => ClassLayout::with_slots("B", &[&object], &["s"]).ok()?,
        "exc" => builtin(Builtin::Exception)?,
        "intsub" => builtin(Builtin::Int)?,
        "listsub" => builtin(Builtin::List)?,
        "dictsub" => builtin(Builtin::Dict)?,
        "strsub" => builtin(Builtin::Str)?,
        "tuplesub" => builtin(Builtin::Tuple)?,
        "floatsub" => builtin(Builtin::Float)?,
        "setsub" => builtin(Builtin::Set)?,
        _ => return None,
    };
    let [one, other] = ["C", "D"].map(|name| ClassLayout::new(name, &[&base]).ok());
    Some([one?, other?])
}

/// Lets an event happen; what the model says instead if it says anything else; `None` if it does not know the event.
fn happen<'c>(
    instances: &mut Vec<Instance<'c>>,
    event: &Value,
    classes: &'c [Class; 2],
) -> Result<Option<Result<(), String>>, String> {
    let malformed = || format!("key ev: {event} is no [what, instance, ...]");
    let parts = event.as_array().map(Vec::as_slice);
    let Some([what, index, argument]) = parts else { return Err(malformed()) };
    let index = index.as_u64().and_then(|index| usize::try_from(index).ok()).ok_or_else(malformed)?;
    let it = instances.get_mut(index).ok_or_else(malformed)?;
    let name = || argument.as_str().ok_or_else(malformed);
    let names = || -> Result<Vec<&str>, String> {
        let names: Option<Vec<&str>> =
            argument.as_array().ok_or_else(malformed)?.iter().map(Value::as_str).collect();
        names.ok_or_else(malformed)
    };
    let happened = match what.as_str() {
        Some("set") => it.set(name()?),
        Some("item") => it.set_item(name()?),
        Some("other") => it.set_other_key(),
        Some("del") => it.delete(name()?),
        Some("touch") => it.touch_dict(),
        Some("clear") => it.clear_dict(),
        Some("update") => it.update_dict(names()?),
        Some("replace") => it.replace_dict(names()?),
        Some("copy") => it.copy().map(|copy| instances.push(copy)),
        Some("pickle") => it.pickle().map(|copy| instances.push(copy)),
        Some("class") => {
            let other = if std::ptr::eq(it.class(), &classes[0]) { &classes[1] } else { &classes[0] };
            let said = it.set_class(other).err().map(|error| error.to_string());
            let agrees = said.as_deref() == argument.as_str();
            return Ok(Some(if agrees {
                Ok(())
            } else {
                Err(said.unwrap_or_else(|| "allows it".to_owned()))
            }));
        }
        _ => return Ok(None),
    };
    Ok(Some(happened.map_err(|error| error.to_string())))
}
