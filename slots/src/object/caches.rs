//! What inline caches that have seen several keys share.

use super::cache::InlineCache;
use super::name::Name;

/// Keys of a polymorphic cache.
const LINE: usize = 4;
/// log2 of the places of the global cache (`MCACHE_SIZE_EXP`, `Include/internal/pycore_typeobject.h`).
const GLOBAL_LOG2: u32 = 12;

/// The lines of polymorphic inline caches, and the global cache of megamorphic ones. A runtime has one.
///
/// ```text
///   InlineCache (0, line 7) ---> line 7: (key, place) (key, place) (key, place) (0, 0)
///   InlineCache (0, many)   ---> global: 4,096 places of (key, name, place), found by key and name
/// ```
///
/// It owns no values and never tells of a key that objects do not have any more, so nothing is invalidated here: a
/// class that changes gets another version, and the old one is never asked for again.
pub struct Caches {
    lines: Vec<[(u32, u32); LINE]>,
    /// Lines of caches that became megamorphic.
    unused: Vec<u32>,
    global: Box<[Global; 1 << GLOBAL_LOG2]>,
}

#[derive(Clone, Copy, Default)]
struct Global {
    key: u32,
    name: u32,
    place: u32,
}

impl Default for Caches {
    fn default() -> Caches {
        Caches::new()
    }
}

impl Caches {
    /// Without anything.
    pub fn new() -> Caches {
        Caches {
            lines: Vec::new(),
            unused: Vec::new(),
            global: Box::new([Global::default(); 1 << GLOBAL_LOG2]),
        }
    }

    /// Bytes that it holds.
    pub fn bytes(&self) -> usize {
        self.lines.capacity() * size_of::<[(u32, u32); LINE]>()
            + self.unused.capacity() * size_of::<u32>()
            + size_of_val(&*self.global)
    }

    /// Where a cache that is not monomorphic knows the attribute to lie in objects of this key.
    #[inline]
    pub(super) fn find(&self, cache: &InlineCache, key: u32, name: Name) -> Option<u32> {
        if cache.key != 0 || cache.place == 0 {
            return None;
        }
        if cache.place == InlineCache::MANY {
            let found = &self.global[Self::slot(key, name)];
            return (found.key == key && found.name == name.0).then_some(found.place);
        }
        let line = self.lines.get(cache.place as usize - 1)?;
        line.iter().find(|&&(known, _)| known == key).map(|&(_, place)| place)
    }

    /// Remembers where an attribute was just found in objects of this key, which is not 0.
    #[cold]
    pub(super) fn remember(&mut self, cache: &mut InlineCache, key: u32, name: Name, place: u32) {
        if cache.key == 0 && cache.place == 0 || cache.key == key {
            *cache = InlineCache { key, place };
            return;
        }
        if cache.key != 0 {
            let first = (cache.key, cache.place);
            *cache = match self.new_line([first, (key, place), (0, 0), (0, 0)]) {
                Some(line) => InlineCache { key: 0, place: line + 1 },
                None => InlineCache { key: 0, place: InlineCache::MANY },
            };
        } else if let Some(line) = self.lines.get_mut((cache.place as usize).wrapping_sub(1)) {
            if let Some(free) = line.iter_mut().find(|(known, _)| *known == 0 || *known == key) {
                *free = (key, place);
                return;
            }
            self.unused.push(cache.place - 1);
            cache.place = InlineCache::MANY;
        }
        if cache.place == InlineCache::MANY {
            self.global[Self::slot(key, name)] = Global { key, name: name.0, place };
        }
    }

    fn new_line(&mut self, line: [(u32, u32); LINE]) -> Option<u32> {
        if let Some(number) = self.unused.pop() {
            self.lines[number as usize] = line;
            return Some(number);
        }
        let number = u32::try_from(self.lines.len()).ok().filter(|&number| number < InlineCache::MANY - 1)?;
        self.lines.push(line);
        Some(number)
    }

    #[inline]
    fn slot(key: u32, name: Name) -> usize {
        let mixed = (u64::from(key) << 32 | u64::from(name.0)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> (u64::BITS - GLOBAL_LOG2)) as usize
    }
}
