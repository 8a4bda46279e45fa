//! Collections that hold their keys, values or elements weakly, as those of Python's `weakref`.

use core::cell::{Cell, RefCell};
use core::fmt;
use core::hash::Hash;
use std::collections::HashMap;
use std::rc::Rc;

use crate::gc_ptr::Gc;
use crate::weak::Weak;

/// A map from objects, by their identity, to values: an entry goes when its key dies (`weakref.WeakKeyDictionary`).
///
/// The values are not traced: a `Gc` in one is a reference from outside. As in CPython, a value that refers to its own key
/// keeps it alive.
///
/// ```
/// use cpymem_cyclegc::{Gc, WeakKeyMap};
///
/// let names = WeakKeyMap::new();
/// let object = Gc::new(5);
/// names.insert(&object, "five");
/// assert_eq!(names.get(&object), Some("five"));
/// drop(object);
/// assert!(names.is_empty());
/// ```
pub struct WeakKeyMap<K: ?Sized + 'static, V: 'static> {
    shared: Rc<Shared<K, V>>,
}

/// The key and the value of an address.
type Entries<K, V> = HashMap<usize, (Weak<K>, V)>;

/// What the map shares with the callbacks of its keys.
struct Shared<K: ?Sized + 'static, V: 'static> {
    entries: RefCell<Entries<K, V>>,
    /// A key died while the entries were borrowed, so its entry is still there.
    stale: Cell<bool>,
}

impl<K: ?Sized + 'static, V: 'static> Default for WeakKeyMap<K, V> {
    fn default() -> WeakKeyMap<K, V> {
        WeakKeyMap { shared: Rc::new(Shared { entries: RefCell::default(), stale: Cell::new(false) }) }
    }
}

impl<K: ?Sized + 'static, V: 'static> WeakKeyMap<K, V> {
    /// An empty map.
    pub fn new() -> WeakKeyMap<K, V> {
        WeakKeyMap::default()
    }

    /// The entries, without those whose key is dead.
    fn entries(&self) -> &RefCell<Entries<K, V>> {
        let entries = &self.shared.entries;
        if self.shared.stale.get()
            && let Ok(mut all) = entries.try_borrow_mut()
        {
            self.shared.stale.set(false);
            let gone: Vec<_> = all.extract_if(|_, (weak, _)| !weak.has_callback()).collect();
            drop(all);
            drop(gone);
        }
        entries
    }

    /// Enters a value for an object; the one that was there before is returned.
    ///
    /// # Panics
    /// If the handle is dead.
    pub fn insert(&self, key: &Gc<K>, value: V) -> Option<V> {
        let addr = address(key);
        if let Some((_, old)) = self.entries().borrow_mut().get_mut(&addr) {
            return Some(core::mem::replace(old, value));
        }
        let shared = Rc::downgrade(&self.shared);
        let weak = Gc::downgrade_with(key, move |_| {
            let Some(shared) = shared.upgrade() else { return };
            let gone = match shared.entries.try_borrow_mut() {
                Ok(mut entries) => entries.remove(&addr),
                Err(_) => return shared.stale.set(true),
            };
            // Outside the borrow: the value's destructor may use the map, and other keys may die of it.
            drop(gone);
        });
        self.entries().borrow_mut().insert(addr, (weak, value));
        None
    }

    /// Takes the value of an object out.
    pub fn remove(&self, key: &Gc<K>) -> Option<V> {
        let (_weak, value) = self.entries().borrow_mut().remove(&address(key))?;
        Some(value)
    }

    /// A copy of the value of an object.
    pub fn get(&self, key: &Gc<K>) -> Option<V>
    where
        V: Clone,
    {
        self.entries().borrow().get(&address(key)).map(|(_, value)| value.clone())
    }

    /// True if there is a value for the object.
    pub fn contains_key(&self, key: &Gc<K>) -> bool {
        self.entries().borrow().contains_key(&address(key))
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries().borrow().len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Handles on all keys that are alive, in no order. Entries may come and go while they are used.
    pub fn keys(&self) -> Vec<Gc<K>> {
        self.entries().borrow().values().filter_map(|(weak, _)| weak.upgrade()).collect()
    }

    /// Takes all entries out.
    pub fn clear(&self) {
        let entries = self.entries().take();
        drop(entries);
    }
}

impl<K: ?Sized + 'static, V: 'static> fmt::Debug for WeakKeyMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WeakKeyMap({} entries)", self.len())
    }
}

fn address<T: ?Sized>(gc: &Gc<T>) -> usize {
    Gc::as_ptr(gc).addr()
}

/// A set of objects by their identity, which leave it when they die (`weakref.WeakSet`).
pub struct WeakSet<T: ?Sized + 'static>(WeakKeyMap<T, ()>);

impl<T: ?Sized + 'static> Default for WeakSet<T> {
    fn default() -> WeakSet<T> {
        WeakSet(WeakKeyMap::default())
    }
}

impl<T: ?Sized + 'static> WeakSet<T> {
    /// An empty set.
    pub fn new() -> WeakSet<T> {
        WeakSet::default()
    }

    /// Adds an object; `false` if it was there already.
    ///
    /// # Panics
    /// If the handle is dead.
    pub fn insert(&self, object: &Gc<T>) -> bool {
        self.0.insert(object, ()).is_none()
    }

    /// Takes an object out; `false` if it was not there.
    pub fn remove(&self, object: &Gc<T>) -> bool {
        self.0.remove(object).is_some()
    }

    /// True if the object is in the set.
    pub fn contains(&self, object: &Gc<T>) -> bool {
        self.0.contains_key(object)
    }

    /// Number of objects.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Handles on all objects, in no order.
    pub fn objects(&self) -> Vec<Gc<T>> {
        self.0.keys()
    }
}

impl<T: ?Sized + 'static> fmt::Debug for WeakSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WeakSet({} objects)", self.len())
    }
}

/// A map to objects, which leave it when they die (`weakref.WeakValueDictionary`).
///
/// ```
/// use cpymem_cyclegc::{Gc, WeakValueMap};
///
/// let cache = WeakValueMap::new();
/// let object = Gc::new(String::from("big"));
/// cache.insert("x", &object);
/// assert!(Gc::ptr_eq(&cache.get("x").unwrap(), &object));
/// drop(object);
/// assert!(cache.get("x").is_none() && cache.is_empty());
/// ```
pub struct WeakValueMap<K: 'static, V: ?Sized + 'static> {
    entries: Rc<RefCell<HashMap<K, Weak<V>>>>,
}

impl<K: 'static, V: ?Sized + 'static> Default for WeakValueMap<K, V> {
    fn default() -> WeakValueMap<K, V> {
        WeakValueMap { entries: Rc::default() }
    }
}

impl<K: Eq + Hash + Clone + 'static, V: ?Sized + 'static> WeakValueMap<K, V> {
    /// An empty map.
    pub fn new() -> WeakValueMap<K, V> {
        WeakValueMap::default()
    }

    /// Enters an object; the one that was there before is returned, if it is alive.
    ///
    /// # Panics
    /// If the handle is dead.
    pub fn insert(&self, key: K, value: &Gc<V>) -> Option<Gc<V>> {
        let (entries, of) = (Rc::downgrade(&self.entries), key.clone());
        let weak = Gc::downgrade_with(value, move |this| {
            let Some(entries) = entries.upgrade() else { return };
            // An entry that is borrowed just now stays, and says that its object is dead.
            let gone = match entries.try_borrow_mut() {
                // Another object may stand there by now.
                Ok(mut entries) if entries.get(&of).is_some_and(|weak| weak.ptr_eq(this)) => {
                    entries.remove_entry(&of)
                }
                _ => None,
            };
            drop(gone);
        });
        let old = self.entries.borrow_mut().insert(key, weak);
        old.and_then(|old| old.upgrade())
    }

    /// The object at a key.
    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<Gc<V>>
    where
        K: core::borrow::Borrow<Q>,
    {
        self.entries.borrow().get(key)?.upgrade()
    }

    /// Takes the object at a key out.
    pub fn remove<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<Gc<V>>
    where
        K: core::borrow::Borrow<Q>,
    {
        let gone = self.entries.borrow_mut().remove(key);
        gone?.upgrade()
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries.borrow().len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keys and handles of all entries whose object is alive, in no order.
    pub fn entries(&self) -> Vec<(K, Gc<V>)> {
        let entries = self.entries.borrow();
        entries.iter().filter_map(|(key, weak)| Some((key.clone(), weak.upgrade()?))).collect()
    }
}

impl<K: 'static, V: ?Sized + 'static> fmt::Debug for WeakValueMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WeakValueMap({} entries)", self.entries.borrow().len())
    }
}
