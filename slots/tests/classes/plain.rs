//! The slow and obvious classes and instances.

use cpymem_slots::object::{Attribute, Descriptor, Name};

use crate::value::{Answer, Value};

#[derive(Default)]
pub(crate) struct Plain {
    pub(crate) classes: Vec<PlainClass>,
    pub(crate) objects: Vec<PlainObject>,
}

#[derive(Clone)]
pub(crate) struct PlainClass {
    pub(crate) bases: Vec<usize>,
    pub(crate) attributes: Vec<(Name, PlainMember)>,
    pub(crate) has_dict: bool,
}

#[derive(Clone)]
pub(crate) enum PlainMember {
    Value(Value),
    Slot(usize),
}

pub(crate) struct PlainObject {
    pub(crate) class: usize,
    pub(crate) slots: Vec<Option<Value>>,
    pub(crate) dict: Vec<(Name, Value)>,
}

/// C3 as it is written in "The Python 2.3 Method Resolution Order".
fn mro(classes: &[PlainClass], class: usize) -> Option<Vec<usize>> {
    let bases = &classes[class].bases;
    let mut lists = bases.iter().map(|&base| mro(classes, base)).collect::<Option<Vec<_>>>()?;
    lists.push(bases.clone());
    let mut order = vec![class];
    loop {
        lists.retain(|list| !list.is_empty());
        if lists.is_empty() {
            return Some(order);
        }
        let head = lists
            .iter()
            .map(|list| list[0])
            .find(|head| !lists.iter().any(|list| list[1..].contains(head)))?;
        order.push(head);
        for list in &mut lists {
            if list[0] == head {
                list.remove(0);
            }
        }
    }
}

impl Plain {
    fn find(&self, class: usize, name: Name) -> Option<PlainMember> {
        mro(&self.classes, class).unwrap().into_iter().find_map(|class| {
            let attributes = &self.classes[class].attributes;
            attributes.iter().find(|(known, _)| *known == name).map(|(_, member)| member.clone())
        })
    }

    pub(crate) fn read(&self, object: usize, name: Name) -> Answer {
        let object = &self.objects[object];
        let member = self.find(object.class, name);
        let own = || {
            object.dict.iter().find(|(known, _)| *known == name).map(|(_, value)| Answer::Own(value.number()))
        };
        match member {
            Some(PlainMember::Slot(slot)) => {
                object.slots[slot].as_ref().map_or(Answer::Missing, |value| Answer::Own(value.number()))
            }
            Some(PlainMember::Value(value)) => match value.descriptor() {
                Descriptor::Data => Answer::Property(value.number()),
                Descriptor::NonData => own().unwrap_or(Answer::Method(value.number())),
                Descriptor::None => own().unwrap_or(Answer::Shared(value.number())),
            },
            None => own().unwrap_or(Answer::Missing),
        }
    }

    /// Sets or deletes; whether something was set, deleted or called.
    pub(crate) fn write(&mut self, object: usize, name: Name, value: Option<Value>) -> bool {
        let member = self.find(self.objects[object].class, name);
        let has_dict = self.classes[self.objects[object].class].has_dict;
        let object = &mut self.objects[object];
        match member {
            Some(PlainMember::Slot(slot)) => {
                let deletes = value.is_none();
                let before = std::mem::replace(&mut object.slots[slot], value);
                !deletes || before.is_some()
            }
            Some(PlainMember::Value(known)) if known.descriptor() == Descriptor::Data => true,
            _ if !has_dict => false,
            _ => {
                let at = object.dict.iter().position(|(known, _)| *known == name);
                match (at, value) {
                    (Some(at), Some(value)) => object.dict[at].1 = value,
                    (None, Some(value)) => object.dict.push((name, value)),
                    (Some(at), None) => drop(object.dict.remove(at)),
                    (None, None) => return false,
                }
                true
            }
        }
    }
}
