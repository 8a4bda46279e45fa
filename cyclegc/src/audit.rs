//! Comparing what objects report with what they count.

use std::collections::{BTreeMap, HashMap};

use crate::any::AnyGc;
use crate::heap::HeapPtr;
use crate::inspect::Edges;
use crate::object::ObjPtr;
use crate::visitor::Target;

/// What is wrong with the references to objects of one type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Somebody holds references that no [`visit`](crate::Trace::visit) reports and that are no handles of the
    /// audit's: skipped fields, untraced values, forgotten handles. Cycles through them leak.
    Hidden,
    /// More references were reported than there are: some `visit` reports one twice. Live objects could be taken for
    /// garbage.
    ReportedTwice,
}

/// A line of [`Collector::audit`](crate::Collector::audit).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Type of the objects that are referred to.
    pub type_name: &'static str,
    /// What is wrong.
    pub fault: Fault,
    /// How many objects of the type are concerned.
    pub objects: usize,
    /// By how many references in all.
    pub references: usize,
    /// Types of the objects that report references to them, in order of their names.
    pub reported_by: Vec<&'static str>,
}

/// See [`Collector::audit`](crate::Collector::audit).
pub(crate) fn audit(heap: HeapPtr, handles: &[AnyGc]) -> Vec<Finding> {
    let mut explained: HashMap<Target, (usize, Vec<&'static str>)> = HashMap::new();
    for object in handles.iter().filter_map(AnyGc::object) {
        explained.entry(object.as_ptr()).or_default().0 += 1;
    }
    let mut objects: Vec<ObjPtr> = Vec::new();
    heap.for_each_tracked(|object, _| {
        objects.push(object);
        let name = (object.vtable().type_name)();
        for target in Edges::of(object) {
            let (references, reporters) = explained.entry(target).or_default();
            *references += 1;
            if !reporters.contains(&name) {
                reporters.push(name);
            }
        }
    });
    // `SAVEALL` keeps a reference to each.
    for object in heap.garbage.borrow().iter() {
        explained.entry(object.as_ptr()).or_default().0 += 1;
    }
    let mut findings: BTreeMap<(&'static str, Fault), Finding> = BTreeMap::new();
    for object in objects.into_iter().filter(|object| !object.header().count().is_immortal()) {
        let (references, reporters) = explained.remove(&object.as_ptr()).unwrap_or_default();
        let count = object.header().count().get() as usize;
        let fault = match references.cmp(&count) {
            core::cmp::Ordering::Equal => continue,
            core::cmp::Ordering::Less => Fault::Hidden,
            core::cmp::Ordering::Greater => Fault::ReportedTwice,
        };
        let type_name = (object.vtable().type_name)();
        let finding = findings.entry((type_name, fault)).or_insert_with(|| Finding {
            type_name,
            fault,
            objects: 0,
            references: 0,
            reported_by: Vec::new(),
        });
        finding.objects += 1;
        finding.references += references.abs_diff(count);
        finding.reported_by.extend(reporters);
        finding.reported_by.sort_unstable();
        finding.reported_by.dedup();
    }
    findings.into_values().collect()
}

/// Names who is to blame for a pass that was given up: see [`checked`](crate::checked).
#[cfg(feature = "checked")]
pub(crate) fn accuse_contradiction(heap: HeapPtr) {
    use crate::checked::{Wrong, accuse};

    for finding in audit(heap, &[]).into_iter().filter(|finding| finding.fault == Fault::ReportedTwice) {
        accuse(&Wrong::MoreThanCounted {
            type_name: finding.reported_by.join(" or "),
            target: finding.type_name,
            references: finding.references,
        });
    }
}
