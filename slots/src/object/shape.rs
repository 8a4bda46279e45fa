//! Shapes, also called hidden classes: which attributes an object has, and at which index.

use core::cell::Cell;
use core::fmt;
use core::hash::BuildHasher;
use std::collections::{HashMap, HashSet};
use std::hash::RandomState;

use super::arena::{Arena, Entry};
use super::compact_dict::CompactDict;
use super::id::Id;
use super::key::Key;
use super::name::Name;

/// The most attributes a shape can have.
pub const MAX_ATTRIBUTES: usize = u16::MAX as usize;

/// Classes with more slots get a sorted table of their names.
const WALK: usize = 8;

/// A shape: an ordered list of attribute names. A small copyable handle; the names are kept by the
/// [`Shapes`] that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    id: Id,
    len: u16,
}

/// The registry of shapes and names.
///
/// Shapes form a tree. Its root has no attributes; adding a name to a shape is a *transition* to a child,
/// the same child each time. Different orders of the same names lead to different shapes.
///
/// ```text
///   root --name--> {name} --age--> {name, age}
///        --age---> {age} --name--> {age, name}
/// ```
///
/// Names, shapes and their tables lie in an arena and live as long as the registry.
///
/// ```
/// use cpymem_slots::object::Shapes;
///
/// let mut shapes = Shapes::new();
/// let (name, age) = (shapes.intern("name"), shapes.intern("age"));
/// let user = shapes.class(&[name, age]).unwrap();
/// assert_eq!(shapes.lookup(user, age), Some(1));
/// assert_eq!(shapes.class(&[name, age]).unwrap(), user);
/// assert_ne!(shapes.class(&[age, name]).unwrap(), user);
/// ```
pub struct Shapes {
    arena: Arena,
    names: CompactDict<Interned, ()>,
    hasher: RandomState,
    transitions: HashMap<(Id, Name), Shape>,
    root: Shape,
}

/// A shape as the arena keeps it.
pub(super) struct Node {
    shape: Shape,
    /// The shape without the last name, and that name; the root has neither.
    last: Option<(u32, Name)>,
    /// All its names, sorted: the number of a table of the arena.
    table: Cell<Option<u32>>,
}

/// A name in the registry's dict, which finds it by its text. Its hash is that of the text, kept beside it.
#[derive(PartialEq, Eq)]
struct Interned(Name);

impl Key for Interned {
    fn hash(&self) -> u64 {
        self.0.spread()
    }

    fn carries_hash(&self) -> bool {
        false
    }
}

/// A shape that cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShapeError {
    /// The shape has the name already.
    Twice {
        /// The name.
        name: Name,
    },
    /// [`MAX_ATTRIBUTES`] are there already.
    Full,
    /// The shape is of another registry.
    Foreign,
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ShapeError::Twice { name } => write!(f, "name {} is in the shape already", name.0),
            ShapeError::Full => write!(f, "a shape has at most {MAX_ATTRIBUTES} attributes"),
            ShapeError::Foreign => f.write_str("the shape is of another registry"),
        }
    }
}

impl core::error::Error for ShapeError {}

impl Shape {
    /// How many attributes it has.
    #[expect(clippy::len_without_is_empty, reason = "a count, not a container")]
    pub fn len(self) -> usize {
        self.len.into()
    }

    pub(super) fn id(self) -> Id {
        self.id
    }
}

impl Default for Shapes {
    fn default() -> Shapes {
        Shapes::new()
    }
}

impl fmt::Debug for Shapes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shapes")
            .field("names", &self.arena.names())
            .field("shapes", &self.arena.nodes())
            .finish_non_exhaustive()
    }
}

impl Shapes {
    /// A registry with the root only.
    pub fn new() -> Shapes {
        let root = Shape { id: Id::fresh(), len: 0 };
        let mut arena = Arena::default();
        arena.add_node(Node::new(root, None));
        Shapes {
            arena,
            names: CompactDict::new(),
            hasher: RandomState::new(),
            transitions: HashMap::new(),
            root,
        }
    }

    /// The shape without attributes.
    pub fn root(&self) -> Shape {
        self.root
    }

    /// The name for a text, the same each time.
    ///
    /// # Panics
    /// After 2^32 - 1 names.
    pub fn intern(&mut self, text: &str) -> Name {
        if let Some(name) = self.find_name(text) {
            return name;
        }
        let number = self.arena.names();
        let name = Name(u32::try_from(number).ok().filter(|&n| n < u32::MAX).expect("all names are used up"));
        self.arena.add_name(text);
        self.names.push(self.hasher.hash_one(text), Interned(name), ());
        name
    }

    /// The name for a text, if it was interned.
    pub fn find_name(&self, text: &str) -> Option<Name> {
        let is_it = |known: &Interned| self.text(known.0) == Some(text);
        let position = self.names.position_by(self.hasher.hash_one(text), is_it)?;
        self.names.get_at(position).map(|(known, ())| known.0)
    }

    /// The text of a name; `None` for one of another registry that has no namesake here.
    pub fn text(&self, name: Name) -> Option<&str> {
        self.arena.name(name.0 as usize)
    }

    /// The shape that has `name` behind the attributes of `shape`. The first time it takes time linear in
    /// the attributes, up to the nearest shape that [`Shapes::index`] was called for.
    ///
    /// # Errors
    /// If the name is there already, if there are too many, or if the shape is of another registry.
    ///
    /// # Panics
    /// After 2^32 - 3 shapes in the process.
    pub fn add(&mut self, shape: Shape, name: Name) -> Result<Shape, ShapeError> {
        if let Some(&known) = self.transitions.get(&(shape.id, name)) {
            return Ok(known);
        }
        if self.lookup(shape, name).is_some() {
            return Err(ShapeError::Twice { name });
        }
        self.grow(shape, name)
    }

    /// The shape of a class with these slots, at the indices in which they are listed; made and indexed
    /// in linear time.
    ///
    /// # Errors
    /// As [`Shapes::add`].
    pub fn class(&mut self, slots: &[Name]) -> Result<Shape, ShapeError> {
        let mut seen = HashSet::new();
        if let Some(&name) = slots.iter().find(|&name| !seen.insert(name)) {
            return Err(ShapeError::Twice { name });
        }
        let shape = slots.iter().try_fold(self.root, |shape, &name| self.grow(shape, name))?;
        if shape.len() > WALK {
            self.index(shape)?;
        }
        Ok(shape)
    }

    /// As [`Shapes::class`], but a shape that no path leads to and no other class has.
    pub(super) fn own_class(&mut self, slots: &[Name]) -> Result<Shape, ShapeError> {
        let root = self.root;
        self.root = Shape { id: Id::fresh(), len: 0 };
        self.arena.add_node(Node::new(self.root, None));
        let class = self.class(slots);
        let own = if slots.is_empty() { Ok(self.root) } else { class };
        self.root = root;
        own
    }

    /// The transition for a name that the shape does not have.
    fn grow(&mut self, shape: Shape, name: Name) -> Result<Shape, ShapeError> {
        if let Some(&known) = self.transitions.get(&(shape.id, name)) {
            return Ok(known);
        }
        let parent = self.position(shape.id).ok_or(ShapeError::Foreign)?;
        let len = shape.len.checked_add(1).ok_or(ShapeError::Full)?;
        let child = Shape { id: Id::fresh(), len };
        self.arena.add_node(Node::new(child, Some((parent as u32, name))));
        self.transitions.insert((shape.id, name), child);
        Ok(child)
    }

    /// The index of an attribute; `None` if the shape has no such name or is of another registry.
    ///
    /// Shapes are walked from the last name to the first, up to one that has a sorted table
    /// ([`Shapes::index`]).
    pub fn lookup(&self, shape: Shape, name: Name) -> Option<usize> {
        self.lookup_id(shape.id, name)
    }

    /// Sorts the names of a shape that many objects have, so that looking one up takes logarithmic time.
    /// Worth it for shapes of more than about eight names; [`Shapes::class`] does it by itself.
    ///
    /// # Errors
    /// If the shape is of another registry.
    pub fn index(&mut self, shape: Shape) -> Result<(), ShapeError> {
        let position = self.position(shape.id).ok_or(ShapeError::Foreign)?;
        let mut entries: Vec<Entry> = self.names(shape).into_iter().zip(0..=u16::MAX).collect();
        entries.sort_unstable();
        let number = self.arena.tables() as u32;
        if let Some(node) = self.arena.node(position).filter(|node| node.table.get().is_none()) {
            node.table.set(Some(number));
            self.arena.add_table(&entries);
        }
        Ok(())
    }

    /// The names of a shape in the order of their indices; none for a shape of another registry.
    pub fn names(&self, shape: Shape) -> Vec<Name> {
        self.names_of(shape.id)
    }

    pub(super) fn names_of(&self, id: Id) -> Vec<Name> {
        let mut names: Vec<Name> = self.upward(id).filter_map(|node| Some(node.last?.1)).collect();
        names.reverse();
        names
    }

    /// Bytes of the arena that names, shapes and tables lie in.
    pub fn arena_bytes(&self) -> usize {
        self.arena.bytes()
    }

    pub(super) fn lookup_id(&self, id: Id, name: Name) -> Option<usize> {
        for node in self.upward(id) {
            if let Some(table) = node.table.get().and_then(|number| self.arena.table(number as usize)) {
                let found = table.binary_search_by_key(&name, |&(name, _)| name).ok()?;
                return Some(table[found].1.into());
            }
            if let Some((_, last)) = node.last
                && last == name
            {
                return Some(node.shape.len() - 1);
            }
        }
        None
    }

    /// A shape and those it grew from, up to the root.
    fn upward(&self, id: Id) -> impl Iterator<Item = &Node> {
        let first = self.position(id).and_then(|position| self.arena.node(position));
        core::iter::successors(first, |node| self.arena.node(node.last?.0 as usize))
    }

    /// Where the shape stands in the arena: nodes are added in the order of their ids.
    fn position(&self, id: Id) -> Option<usize> {
        let at = |i: usize| self.arena.node(i).map(|node| node.shape.id);
        let (mut low, mut high) = (0, self.arena.nodes());
        while low < high {
            let middle = low.midpoint(high);
            if at(middle)? < id { low = middle + 1 } else { high = middle }
        }
        (at(low)? == id).then_some(low)
    }
}

impl Node {
    fn new(shape: Shape, last: Option<(u32, Name)>) -> Node {
        Node { shape, last, table: Cell::new(None) }
    }
}
