//! What packages cost: what would go if one were not imported.
//!
//! A package is its top-level name with all modules below. If it were not imported, neither would be the packages
//! that only it imports; what can then be reached only through their modules, types and functions would not be
//! there. Imports are seen where they leave a name: a module, a type or a function of another package in a module's
//! dict.

use std::collections::{BTreeSet, HashMap};

use crate::heap::{Bits, Flags, Graph, Owners};

/// Packages of which the cost is computed: those that are nearest to most bytes.
const MOST_PACKAGES: usize = 6;

/// A package.
#[derive(Clone, Debug)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Packages that import it.
    pub imported_by: Vec<String>,
    /// Packages that only it brings in.
    pub brings: Vec<String>,
    /// Bytes of objects that would not be there.
    pub bytes: u64,
    /// Resident bytes of the files of its extension modules.
    pub file_bytes: u64,
}

/// What an interpreter imports for itself, and the program itself.
const NEEDED: [&str; 20] = [
    "__main__",
    "abc",
    "builtins",
    "codecs",
    "cpymem_dump",
    "encodings",
    "gc",
    "genericpath",
    "importlib",
    "io",
    "os",
    "posix",
    "posixpath",
    "site",
    "stat",
    "sys",
    "types",
    "warnings",
    "_frozen_importlib",
    "_frozen_importlib_external",
];

/// The packages that cost most, most bytes first.
pub(super) fn packages(graph: &Graph, owners: &Owners) -> Vec<Package> {
    let mut imports = Imports::find(graph);
    let near = imports.nearest_bytes(graph, owners);
    let mut order: Vec<usize> = (0..imports.names.len()).filter(|&k| imports.may_go(k)).collect();
    order.sort_by_key(|&k| std::cmp::Reverse(near[k]));
    order.truncate(MOST_PACKAGES);
    let mut packages: Vec<Package> = order.into_iter().map(|k| imports.package(graph, k)).collect();
    packages.sort_by_key(|package| std::cmp::Reverse(package.bytes.saturating_add(package.file_bytes)));
    packages
}

/// Who imports whom.
#[derive(Default)]
struct Imports {
    names: Vec<String>,
    numbers: HashMap<String, usize>,
    importers: Vec<BTreeSet<usize>>,
    /// The same the other way: what each package imports.
    imported: Vec<BTreeSet<usize>>,
    /// For each module, the last part of its name, and its package.
    modules: HashMap<String, usize>,
}

impl Imports {
    fn find(graph: &Graph) -> Imports {
        let mut imports = Imports::default();
        let mut seen = Bits::new(graph.len());
        let alive = |id: &u32| graph.is_object(*id) && !graph.garbage().dead().has(*id);
        for id in graph.ids().filter(alive).filter(|&id| graph.flags(id).has(Flags::MODULE)) {
            let Some(label) = graph.label(id) else { continue };
            let package = imports.number(label);
            let last = label.rsplit('.').next().unwrap_or(label);
            imports.modules.insert(last.to_owned(), package);
            for &dict in graph.referents(id) {
                // A dict is one module's.
                if graph.names.is_named(dict) && seen.insert(dict) {
                    imports.add(graph, package, dict);
                }
            }
        }
        imports
    }

    /// Adds what the names of a module's dict lead to.
    fn add(&mut self, graph: &Graph, package: usize, dict: u32) {
        let labels = graph.referents(dict).iter().filter(|&&value| graph.flags(value).has(Flags::NAMED));
        for label in labels.filter_map(|&value| graph.label(value)) {
            let imported = self.number(label);
            if imported != package {
                self.importers[imported].insert(package);
                self.imported[package].insert(imported);
            }
        }
    }

    /// The number of the package that a label belongs to.
    fn number(&mut self, label: &str) -> usize {
        let name = label.split('.').next().unwrap_or(label);
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        self.names.push(name.to_owned());
        self.importers.push(BTreeSet::new());
        self.imported.push(BTreeSet::new());
        self.numbers.insert(name.to_owned(), self.names.len() - 1);
        self.names.len() - 1
    }

    fn may_go(&self, package: usize) -> bool {
        !NEEDED.contains(&&*self.names[package]) && !self.importers[package].is_empty()
    }

    /// Bytes of the objects whose path of names begins in each package.
    fn nearest_bytes(&mut self, graph: &Graph, owners: &Owners) -> Vec<u64> {
        // A path comes after the one that it continues.
        let mut of_path: Vec<Option<usize>> = Vec::new();
        for path in owners.paths() {
            let package = match owners.above(path) {
                Some(above) => of_path[above.index()],
                None => {
                    let text = owners.text(path);
                    self.numbers.get(text.split('.').next().unwrap_or_default()).copied()
                }
            };
            of_path.push(package);
        }
        let mut near = vec![0u64; self.names.len()];
        for id in graph.ids().filter(|&id| graph.is_object(id) && !graph.garbage().dead().has(id)) {
            let package = owners.path(id).and_then(|path| of_path[path.index()]);
            if let Some(package) = package {
                near[package] = near[package].saturating_add(graph.block_bytes(id));
            }
        }
        near
    }

    /// The package with everything that only it brings in.
    fn with_what_it_brings(&self, package: usize) -> BTreeSet<usize> {
        let mut gone = BTreeSet::from([package]);
        let mut importers_left: Vec<usize> = self.importers.iter().map(BTreeSet::len).collect();
        let mut stack = vec![package];
        while let Some(importer) = stack.pop() {
            for &imported in &self.imported[importer] {
                importers_left[imported] -= 1;
                if importers_left[imported] == 0 && self.may_go(imported) && gone.insert(imported) {
                    stack.push(imported);
                }
            }
        }
        gone
    }

    fn package(&self, graph: &Graph, package: usize) -> Package {
        let gone = self.with_what_it_brings(package);
        let is_gone = |label: &str| {
            let name = label.split('.').next().unwrap_or(label);
            self.numbers.get(name).is_some_and(|number| gone.contains(number))
        };
        let mut blocked = Bits::new(graph.len());
        for id in graph.ids().filter(|&id| graph.flags(id).has(Flags::NAMED)) {
            if graph.label(id).is_some_and(is_gone) {
                blocked.insert(id);
            }
        }
        let names = |packages: &BTreeSet<usize>| {
            packages.iter().filter(|&&k| k != package).map(|&k| self.names[k].clone()).collect()
        };
        Package {
            name: self.names[package].clone(),
            imported_by: names(&self.importers[package]),
            brings: names(&gone),
            bytes: bytes_without(graph, &blocked),
            file_bytes: self.file_bytes(graph, &gone),
        }
    }

    fn file_bytes(&self, graph: &Graph, gone: &BTreeSet<usize>) -> u64 {
        let mappings = graph.process.iter().flat_map(|process| process.smaps.iter().flatten());
        let of_gone = mappings.filter(|mapping| {
            let module =
                mapping.name.contains(".so").then(|| mapping.name.split('.').next().unwrap_or_default());
            module.and_then(|module| self.modules.get(module)).is_some_and(|number| gone.contains(number))
        });
        of_gone.fold(0, |sum, mapping| sum.saturating_add(mapping.rss_kib.saturating_mul(1024)))
    }
}

/// Bytes of living objects that only ways through `blocked` ones reach, those included.
fn bytes_without(graph: &Graph, blocked: &Bits) -> u64 {
    let mut reached = Bits::new(graph.len());
    let mut stack = Vec::new();
    let is_alive = |id: u32| graph.is_object(id) && !graph.garbage().dead().has(id);
    for id in graph.ids().filter(|&id| is_alive(id) && !blocked.has(id)) {
        if (graph.garbage().outside(id) > 0 || graph.immortal(id)) && reached.insert(id) {
            stack.push(id);
        }
    }
    while let Some(id) = stack.pop() {
        for &to in graph.referents(id) {
            if !blocked.has(to) && reached.insert(to) {
                stack.push(to);
            }
        }
    }
    let gone = graph.ids().filter(|&id| is_alive(id) && !reached.has(id));
    gone.fold(0, |sum, id| sum.saturating_add(graph.block_bytes(id)))
}
