//! Who holds an object, as a path of names: `module.Class.attribute`, `module.CACHE`, `module.f.<locals>.g`.
//!
//! Paths start at modules. Every object gets the path that is fewest references away from one, so that each byte
//! has one owner:
//!
//! 1. modules begin a path; types and functions have the path that their label says;
//! 2. a reference with a name (a key of the dict of a module, class or instance; an attribute of an instance) adds
//!    the name;
//! 3. a reference without a name out of a container adds `[]`, which stands for all of its elements; any other keeps
//!    the path;
//! 4. what is left is held from outside, or is garbage.
//!
//! The *owner* of an object is its path up to the first `[]`: a cache owns its entries and what they alone hold.

use std::collections::HashMap;

use super::attributes::AttributeNames;
use super::dump::Dump;
use super::garbage::Garbage;
use super::names::{Symbol, Symbols};
use super::objects::Flags;

/// Where no path is.
const NONE: u32 = u32::MAX;
/// Names in a path at most; deeper ones end with the last.
const DEEPEST: u8 = 24;
/// Paths at most; beyond, references keep the path they come from.
const MOST_PATHS: usize = 1 << 19;

/// A path of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Path(u32);

impl Path {
    /// Its position among all paths.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// One name of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    /// A module, or what stands before the first name.
    Start(Symbol),
    /// An attribute.
    Name(Symbol),
    /// All elements.
    Elements,
    /// An object of this type, where names are not in the dump.
    Typed(Symbol),
}

#[derive(Clone, Copy, Debug)]
struct Node {
    step: Step,
    /// The path without its last name; none at the beginning.
    above: u32,
    /// The path up to the first `[]`.
    owner: u32,
    /// The path with `[]` added, once there is one.
    elements: u32,
    depth: u8,
}

/// The paths of a dump's objects.
#[derive(Clone, Debug)]
pub struct Owners {
    symbols: Symbols,
    nodes: Vec<Node>,
    of: Vec<u32>,
    /// For each path, the elements of the containers that have it.
    entries: Vec<u64>,
    /// The first object of each path.
    first: Vec<u32>,
    named: bool,
}

impl Owners {
    /// Finds them, in time proportional to objects and references, with 8 bytes an object while it runs.
    pub fn find(dump: &Dump, garbage: &Garbage, attributes: &AttributeNames) -> Owners {
        let mut search = Search::new(dump, garbage, attributes);
        search.claim();
        search.walk();
        search.outside();
        search.it
    }

    /// Whether the dump names the keys of dicts. If not, paths go by module and type.
    pub fn are_named(&self) -> bool {
        self.named
    }

    /// All paths.
    pub fn paths(&self) -> impl Iterator<Item = Path> {
        (0..self.nodes.len() as u32).map(Path)
    }

    /// The whole path of an object; none for rows that are no objects.
    pub fn path(&self, id: u32) -> Option<Path> {
        let path = self.of[id as usize];
        (path != NONE).then_some(Path(path))
    }

    /// The owner of an object: its path up to the first `[]`.
    pub fn owner(&self, id: u32) -> Option<Path> {
        Some(Path(self.nodes[self.path(id)?.index()].owner))
    }

    /// The path without its last name.
    pub fn above(&self, path: Path) -> Option<Path> {
        let above = self.nodes[path.index()].above;
        (above != NONE).then_some(Path(above))
    }

    /// Whether the path is an owner's, without `[]`.
    pub fn is_owner(&self, path: Path) -> bool {
        self.nodes[path.index()].owner == path.0
    }

    /// Elements of the containers with this path: entries of a dict, items of a list.
    pub fn entries(&self, path: Path) -> u64 {
        self.entries[path.index()]
    }

    /// The first object that has this path.
    pub fn first_object(&self, path: Path) -> Option<u32> {
        let first = self.first[path.index()];
        (first != NONE).then_some(first)
    }

    /// The path as text.
    pub fn text(&self, path: Path) -> String {
        let mut steps = Vec::new();
        let mut next = Some(path);
        while let Some(path) = next {
            steps.push(self.nodes[path.index()].step);
            next = self.above(path);
        }
        let mut out = String::new();
        for step in steps.into_iter().rev() {
            match step {
                Step::Start(name) => out.push_str(self.symbols.name(name)),
                Step::Elements => out.push_str("[]"),
                Step::Name(name) => {
                    out.push('.');
                    out.push_str(self.symbols.name(name));
                }
                Step::Typed(name) => {
                    out.push_str(".<");
                    out.push_str(self.symbols.name(name));
                    out.push('>');
                }
            }
        }
        out
    }
}

/// The search for owners.
struct Search<'d> {
    dump: &'d Dump,
    garbage: &'d Garbage,
    it: Owners,
    children: HashMap<(u32, Step), u32>,
    queue: Vec<u32>,
    next: usize,
    classes: Vec<Class>,
}

/// What the search needs to know of a type.
#[derive(Clone, Debug, Default)]
struct Class {
    /// Elements of instances are not named.
    container: bool,
    /// Names of the referents of an instance that has as many as this and its type.
    attributes: Vec<Option<Symbol>>,
    name: Option<Symbol>,
}

impl<'d> Search<'d> {
    fn new(dump: &'d Dump, garbage: &'d Garbage, attributes: &AttributeNames) -> Search<'d> {
        let mut symbols = dump.names.symbols().clone();
        let classes = classes(dump, attributes, &mut symbols);
        let it = Owners {
            symbols,
            nodes: Vec::new(),
            of: vec![NONE; dump.len() as usize],
            entries: Vec::new(),
            first: Vec::new(),
            named: !dump.names.is_empty(),
        };
        Search { dump, garbage, it, children: HashMap::new(), queue: Vec::new(), next: 0, classes }
    }

    /// Step 1.
    fn claim(&mut self) {
        let mut modules = HashMap::new();
        for id in self.living(Flags::MODULE) {
            let Some(label) = self.dump.label(id) else { continue };
            let path = self.start(label);
            modules.entry(label).or_insert(path);
            self.give(id, path);
        }
        for id in self.living(Flags::TYPE) {
            self.claim_by_label(id, &modules);
        }
        for id in self.living(Flags::FUNCTION) {
            self.claim_by_label(id, &modules);
        }
    }

    fn living(&self, flag: Flags) -> Vec<u32> {
        let (dump, garbage) = (self.dump, self.garbage);
        let wanted = |&id: &u32| dump.flags(id).has(flag) && dump.is_object(id) && !garbage.dead().has(id);
        dump.ids().filter(wanted).collect()
    }

    fn claim_by_label(&mut self, id: u32, modules: &HashMap<&str, u32>) {
        let Some(label) = self.dump.label(id).filter(|_| self.it.of[id as usize] == NONE) else { return };
        // The longest beginning that is a module's name.
        let dots = label.match_indices('.').map(|(at, _)| at);
        let module = dots.rev().find_map(|at| Some((at, *modules.get(&label[..at])?)));
        let path = match module {
            Some((at, module)) => {
                let mut path = module;
                for part in label[at + 1..].split('.') {
                    let name = self.it.symbols.intern(part);
                    path = self.child(path, Step::Name(name));
                }
                path
            }
            None => self.start(label),
        };
        self.give(id, path);
    }

    /// Steps 2 and 3.
    fn walk(&mut self) {
        while let Some(&id) = self.queue.get(self.next) {
            self.next += 1;
            self.pass_on(id);
        }
    }

    fn pass_on(&mut self, id: u32) {
        let dump = self.dump;
        let path = self.it.of[id as usize];
        let referents = dump.referents(id);
        if let Some(keys) = dump.names.keys(id) {
            for (&to, key) in referents.iter().zip(keys) {
                self.pass(to, path, key.map_or(Step::Elements, Step::Name));
            }
            return;
        }
        let flags = dump.flags(id);
        let class = dump.type_id(id).and_then(|class| self.classes.get(class as usize));
        if flags.has(Flags::MODULE) && !self.it.named {
            self.pass_on_unnamed_module(referents, path);
            return;
        }
        let container = class.is_some_and(|class| class.container);
        let attributes = class.map_or(0, |class| class.attributes.len());
        // The type is the one that is left.
        let complete = attributes > 0 && referents.len() == attributes + 1;
        if container {
            let entries = &mut self.it.entries[path as usize];
            *entries = entries.saturating_add(entries_of(dump, id));
        }
        for (k, &to) in referents.iter().enumerate() {
            if self.it.of[to as usize] != NONE {
                continue;
            }
            let class = dump.type_id(id).and_then(|class| self.classes.get(class as usize));
            match class.and_then(|class| class.attributes.get(k).copied().flatten()) {
                Some(name) if complete => self.pass(to, path, Step::Name(name)),
                _ if container => self.pass(to, path, Step::Elements),
                _ => self.give(to, path),
            }
        }
    }

    /// PYHEAP 1: the dict of a module tells no names, so its values go by their types.
    fn pass_on_unnamed_module(&mut self, referents: &[u32], path: u32) {
        for &dict in referents {
            if self.it.of[dict as usize] != NONE || self.dump.type_name(dict) != "builtins.dict" {
                self.give(dict, path);
                continue;
            }
            self.it.of[dict as usize] = path;
            for &to in self.dump.referents(dict) {
                let class = self.dump.type_id(to).and_then(|class| self.classes.get(class as usize));
                if let Some(name) = class.and_then(|class| class.name) {
                    self.pass(to, path, Step::Typed(name));
                }
            }
        }
    }

    /// A reference from a path to an object.
    #[inline]
    fn pass(&mut self, to: u32, path: u32, step: Step) {
        if self.it.of[to as usize] == NONE {
            let path = if step == Step::Elements { self.elements(path) } else { self.child(path, step) };
            self.give(to, path);
        }
    }

    /// The object has this path, if it has none yet.
    #[inline]
    fn give(&mut self, id: u32, path: u32) {
        let of = &mut self.it.of[id as usize];
        if *of != NONE || !self.dump.is_object(id) {
            return;
        }
        *of = path;
        let first = &mut self.it.first[path as usize];
        if *first == NONE {
            *first = id;
        }
        self.queue.push(id);
    }

    /// Step 4.
    fn outside(&mut self) {
        let dump = self.dump;
        let [outside, immortal, garbage] =
            ["(held from outside)", "(immortal)", "(garbage)"].map(|name| self.start(name));
        for id in dump.ids().filter(|&id| dump.is_object(id)) {
            if self.it.of[id as usize] != NONE {
                continue;
            }
            let dead = self.garbage.dead().has(id);
            let (start, walks) = match () {
                () if dead => (garbage, false),
                () if dump.immortal(id) && dump.referents(id).is_empty() => (immortal, false),
                () if self.garbage.outside(id) > 0 || dump.immortal(id) => (outside, true),
                () => continue,
            };
            self.typed(id, start);
            if walks {
                self.walk();
            } else {
                self.next = self.queue.len();
            }
        }
        // Reached from untracked objects alone that nothing refers to.
        for id in dump.ids().filter(|&id| dump.is_object(id)) {
            if self.it.of[id as usize] == NONE {
                self.typed(id, outside);
                self.walk();
            }
        }
    }

    fn typed(&mut self, id: u32, start: u32) {
        let class = self.dump.type_id(id).and_then(|class| self.classes.get(class as usize));
        let path = match class.and_then(|class| class.name) {
            Some(name) => self.child(start, Step::Typed(name)),
            None => start,
        };
        self.give(id, path);
    }

    fn start(&mut self, name: &str) -> u32 {
        let step = Step::Start(self.it.symbols.intern(name));
        self.node(NONE, step)
    }

    fn elements(&mut self, path: u32) -> u32 {
        let node = self.it.nodes[path as usize];
        if node.step == Step::Elements {
            return path;
        }
        if node.elements == NONE {
            let elements = self.node(path, Step::Elements);
            self.it.nodes[path as usize].elements = elements;
        }
        self.it.nodes[path as usize].elements
    }

    fn child(&mut self, path: u32, step: Step) -> u32 {
        let deep = self.it.nodes[path as usize].depth >= DEEPEST || self.it.nodes.len() >= MOST_PATHS;
        if deep { path } else { self.node(path, step) }
    }

    fn node(&mut self, above: u32, step: Step) -> u32 {
        if let Some(&known) = self.children.get(&(above, step)) {
            return known;
        }
        let number = self.it.nodes.len() as u32;
        let (owner, depth) = match self.it.nodes.get(above as usize) {
            None => (number, 0),
            // Below an element everything belongs to the owner of the elements.
            Some(up) if up.owner != above || step == Step::Elements => (up.owner, up.depth + 1),
            Some(up) => (number, up.depth + 1),
        };
        self.it.nodes.push(Node { step, above, owner, elements: NONE, depth });
        self.it.entries.push(0);
        self.it.first.push(NONE);
        self.children.insert((above, step), number);
        number
    }
}

/// Built-in types whose elements have no names, and types of collections.
fn is_container(name: &str) -> bool {
    const CONTAINERS: [&str; 10] = [
        "builtins.dict",
        "builtins.list",
        "builtins.set",
        "builtins.tuple",
        "builtins.frozenset",
        "collections.deque",
        "collections.OrderedDict",
        "collections.defaultdict",
        "collections.Counter",
        "functools._lru_cache_wrapper",
    ];
    CONTAINERS.contains(&name)
}

fn classes(dump: &Dump, names: &AttributeNames, symbols: &mut Symbols) -> Vec<Class> {
    let mut classes: Vec<Class> = Vec::new();
    for it in dump.types() {
        let k = it.id as usize;
        if k >= classes.len() {
            classes.resize_with(k + 1, Class::default);
        }
        let attributes = names.of_type(it.id).iter();
        classes[k] = Class {
            container: is_container(&it.name),
            attributes: attributes.map(|name| name.as_deref().map(|name| symbols.intern(name))).collect(),
            name: Some(symbols.intern(&it.name)),
        };
    }
    classes
}

/// Elements of a container: references, or half of them where a dict reports its keys, too.
fn entries_of(dump: &Dump, id: u32) -> u64 {
    let references = dump.referents(id).len() as u64;
    if dump.type_name(id) == "builtins.dict" && references.is_multiple_of(2) && reports_keys(dump, id) {
        references / 2
    } else {
        references
    }
}

/// Whether a dict's table is a general one, whose keys `dict.tp_traverse` visits: since 3.11 its entries are larger
/// than those of a table of strings, and the size tells.
fn reports_keys(dump: &Dump, id: u32) -> bool {
    const DICT: u64 = 64;
    const HEADER: u64 = 32;
    let Some(table) = dump.size(id).checked_sub(DICT + HEADER) else { return false };
    (3..40).any(|log2: u32| {
        let index = match log2 {
            ..8 => 1,
            8..16 => 2,
            16..32 => 4,
            _ => 8,
        };
        table == (index << log2) + (2u64 << log2) / 3 * 24
    })
}
