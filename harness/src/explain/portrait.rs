//! What is kept of a dump once it was read: what its memory is made of, who holds it, what could be changed.

use cpymem_slots::model::{ClassLayout, Target};

use super::code;
use super::packages::{Package, packages};
use super::resident::{Known, Seen};
use crate::error::InputError;
use crate::heap::{Bits, Graph, Header, Labels, Owned, Owners, Path, Retained};
use crate::input::Input;
use crate::progress::Progress;
use crate::record::InputRecord;
use crate::record_explain::RssRecord;

/// Owners that are kept of a dump.
const MOST_OWNERS: usize = 4096;
/// Bytes of an owner that is worth a name.
const SMALLEST_OWNER: u64 = 1024;
/// Classes, packages and garbage types that are kept.
const MOST_KINDS: usize = 8;

/// A dump, summed up.
#[derive(Clone, Debug)]
pub struct Portrait {
    /// The input.
    pub input: InputRecord,
    /// What it says about itself.
    pub header: Header,
    /// Whether its counts are exact.
    pub exact: bool,
    /// The version whose layouts were taken, if it is not the dump's own.
    pub taken_for: Option<Target>,
    /// Whether the keys of dicts are named.
    pub named: bool,
    /// Objects, the dumper's own left out.
    pub objects: u64,
    /// Those that the collector tracks.
    pub tracked: u64,
    /// What the dump says about memory.
    pub known: Known,
    /// The terms of resident memory.
    pub rss: RssRecord,
    /// Living objects by what they are for.
    pub live: Live,
    /// What is dead.
    pub garbage: Dead,
    /// Owners of data, those with most bytes first.
    pub owners: Vec<Owner>,
    /// Classes whose instances slots would make smaller, most saved bytes first.
    pub classes: Vec<Class>,
    /// Packages and what they alone keep, most bytes first.
    pub packages: Vec<Package>,
}

/// Living objects by what they are for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Live {
    /// Modules, types, functions and what belongs to them.
    pub code: Seen,
    /// Instances of classes written in Python, and their dicts.
    pub instances: Seen,
    /// Everything else.
    pub data: Seen,
}

/// What is dead.
#[derive(Clone, Debug, Default)]
pub struct Dead {
    /// Objects that `gc.collect()` would find.
    pub found: u64,
    /// Objects in all.
    pub objects: u64,
    /// Their types, the most numerous first, those of the program before built-in ones.
    pub types: Vec<(String, u64)>,
}

/// Who holds data.
#[derive(Clone, Debug)]
pub struct Owner {
    /// Its path of names.
    pub path: String,
    /// The type of the object with this path.
    pub class: String,
    /// Elements of its containers.
    pub entries: u64,
    /// Bytes of what is nearest to it.
    pub bytes: u64,
    /// Bytes that would go if it went.
    pub retained: u64,
}

impl Owner {
    /// Bytes that would go for sure if the owner were emptied: what both ways of counting agree on.
    pub fn sure_bytes(&self) -> u64 {
        self.bytes.min(self.retained)
    }
}

/// A class whose instances slots would make smaller.
#[derive(Clone, Debug)]
pub struct Class {
    /// Module and name.
    pub name: String,
    /// Living instances.
    pub instances: u64,
    /// Attributes in the order in which they are set.
    pub attributes: Vec<String>,
    /// Bytes of all instances with their dicts.
    pub bytes: u64,
    /// Bytes that slots would save.
    pub saving: u64,
}

impl Portrait {
    /// Reads a dump.
    ///
    /// # Errors
    /// As [`Graph::read`].
    pub fn read(input: &Input, progress: &Progress) -> Result<Portrait, InputError> {
        let graph = Graph::read(input, Labels::Code, progress)?;
        let name = input.name();
        progress.pass(&format!("{name}: sum up memory"));
        let known = Known::of(&graph);
        let code = code::code(&graph);
        let (live, classes) = live(&graph, &code);
        progress.pass(&format!("{name}: find owners"));
        let owners = graph.owners();
        progress.pass(&format!("{name}: find packages"));
        let packages = packages(&graph, &owners);
        progress.pass(&format!("{name}: dominators"));
        let tree = graph.dominators();
        let owners = data_owners(&graph, &owners, &code, &graph.retained(&tree));
        let objects = graph.ids().filter(|&id| graph.is_object(id));
        let blocks = graph.blocks();
        Ok(Portrait {
            input: InputRecord::new(input, &graph.header.form, graph.header.python.as_deref()),
            exact: !graph.is_free_threaded(),
            taken_for: (!blocks.is_known()).then(|| blocks.target()),
            named: !graph.names.is_empty(),
            objects: objects.clone().count() as u64,
            tracked: objects.filter(|&id| graph.tracked(id)).count() as u64,
            rss: known.terms(),
            known,
            live,
            garbage: dead(&graph),
            owners,
            classes,
            packages,
            header: graph.header.clone(),
        })
    }

    /// Bytes by `layer` of living objects, those included that the dump did not see: they are as the seen ones.
    pub fn with_unseen(&self, part: Seen) -> u64 {
        let seen = [self.live.code, self.live.instances, self.live.data];
        let blocks: u64 = seen.iter().fold(0, |sum, it| sum.saturating_add(it.blocks));
        let unseen = self.rss.live_unseen.unwrap_or(0);
        let more = u128::from(unseen) * u128::from(part.blocks) / u128::from(blocks.max(1));
        part.bytes().saturating_add(u64::try_from(more).unwrap_or(u64::MAX))
    }
}

/// Sums up living objects, and finds the classes that slots would help.
fn live(graph: &Graph, code: &Bits) -> (Live, Vec<Class>) {
    let mut live = Live::default();
    let types = graph.types().map(|class| class.id as usize + 1).max().unwrap_or(0);
    let mut by_class = vec![(0u64, Seen::default()); types];
    let is_alive = |id: u32| graph.is_object(id) && !graph.garbage().dead().has(id);
    let mut of_instance = Bits::new(graph.len());
    let instance = |id: u32| {
        let class = graph.type_of(id).filter(|class| class.heap)?;
        let python = matches!(class.kind.as_deref(), Some("dict" | "slots" | "slots+dict" | "plain"));
        (python && !code.has(id)).then_some(class.id as usize)
    };
    for id in graph.ids().filter(|&id| is_alive(id)) {
        let Some(class) = instance(id) else { continue };
        let (instances, bytes) = &mut by_class[class];
        *instances += 1;
        for of in [Some(id), dict_of(graph, id)].into_iter().flatten() {
            if of_instance.insert(of) {
                bytes.add(graph, of);
                live.instances.add(graph, of);
            }
        }
    }
    for id in graph.ids().filter(|&id| is_alive(id) && !of_instance.has(id)) {
        if code.has(id) { &mut live.code } else { &mut live.data }.add(graph, id);
    }
    let mut classes: Vec<Class> =
        graph.types().filter_map(|class| saving(graph, class, by_class[class.id as usize])).collect();
    classes.sort_by(|a, b| b.saving.cmp(&a.saving).then_with(|| a.name.cmp(&b.name)));
    classes.truncate(MOST_KINDS);
    (live, classes)
}

/// The dict of an instance, if it has one of its own.
fn dict_of(graph: &Graph, id: u32) -> Option<u32> {
    graph.type_of(id).filter(|class| class.has_dict)?;
    graph.referents(id).iter().copied().find(|&to| graph.names.is_named(to) && graph.refcount(to) == Some(1))
}

/// What slots would save on the living instances of a class.
fn saving(graph: &Graph, class: &crate::heap::Type, (instances, seen): (u64, Seen)) -> Option<Class> {
    // A class that is laid out as `object` with a dict: its bases have no fields of their own.
    let plain =
        class.kind.as_deref() == Some("dict") && class.itemsize == Some(0) && class.basicsize <= Some(32);
    if !plain || instances < 100 {
        return None;
    }
    let known = graph.attributes(class.id).filter(|known| known.sampled > 0)?;
    let attributes: Vec<String> = match known.order.iter().cloned().collect::<Option<Vec<String>>>() {
        Some(order) if !order.is_empty() => order,
        _ => known.names.iter().map(|(name, _)| name.clone()).collect(),
    };
    let named = |name: &String| name.chars().all(|c| c.is_alphanumeric() || c == '_');
    if attributes.is_empty() || attributes.len() > 64 || !attributes.iter().all(named) {
        return None;
    }
    let object = ClassLayout::object(graph.blocks().target()).ok()?;
    let slotted = ClassLayout::with_slots("C", &[&object], &attributes).ok()?;
    let each = slotted.steady(&attributes).ok()?.heap_bytes();
    let bytes = seen.bytes();
    let saving = bytes.checked_sub(each.saturating_mul(instances)).filter(|&saving| saving > 0)?;
    Some(Class { name: class.name.clone(), instances, attributes, bytes, saving })
}

fn dead(graph: &Graph) -> Dead {
    let garbage = graph.garbage();
    let mut counts = vec![0u64; graph.types().map(|class| class.id as usize + 1).max().unwrap_or(0)];
    for class in garbage.dead().iter().filter_map(|id| graph.type_id(id)) {
        counts[class as usize] += 1;
    }
    let mut types: Vec<_> = graph
        .types()
        .filter(|class| counts[class.id as usize] > 0)
        .map(|class| (!class.heap, std::cmp::Reverse(counts[class.id as usize]), class.name.clone()))
        .collect();
    types.sort();
    let types = types.into_iter().take(MOST_KINDS).map(|(_, count, name)| (name, count.0)).collect();
    Dead { found: garbage.found(), objects: garbage.dead().count(), types }
}

/// Owners of data: containers and instances that a path of names leads to.
fn data_owners(graph: &Graph, owners: &Owners, code: &Bits, retained: &Retained<'_>) -> Vec<Owner> {
    let all = Owned::of_all(graph, owners, |id| !graph.garbage().dead().has(id));
    let is_data = |path: &Path| {
        all[path.index()].bytes >= SMALLEST_OWNER
            && owners.is_owner(*path)
            && owners.first_object(*path).is_some_and(|id| !code.has(id) && graph.is_object(id))
    };
    let mut paths: Vec<Path> = owners.paths().filter(is_data).collect();
    paths.sort_by_key(|path| std::cmp::Reverse(all[path.index()].bytes));
    paths.truncate(MOST_OWNERS);
    let owner = |path: Path| {
        let object = owners.first_object(path)?;
        Some(Owner {
            path: owners.text(path),
            class: graph.type_name(object).to_owned(),
            entries: all[path.index()].entries,
            bytes: all[path.index()].bytes,
            retained: retained.of(object),
        })
    };
    paths.into_iter().filter_map(owner).collect()
}
