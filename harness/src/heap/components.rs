//! Strongly connected components of the dead objects: the cycles that hold garbage.

use super::bits::Bits;
use super::objects::Objects;

/// Where nothing is.
const NONE: u32 = u32::MAX;

/// The strongly connected components of the dead objects of a dump.
///
/// # Invariants
/// 1. Components are numbered so that a reference goes to the same component or to one of a lower number.
/// 2. `members[first[c]..first[c + 1]]` are the positions in `objects` of component `c`.
#[derive(Clone, Debug)]
pub struct Components {
    objects: Vec<u32>,
    first: Vec<u32>,
    members: Vec<u32>,
    cyclic: Vec<bool>,
    /// For each position the cycle that holds it.
    holder: Vec<u32>,
}

impl Components {
    /// Finds them: Tarjan's algorithm without recursion, in time proportional to the dead objects and their
    /// references, and about 30 bytes for each dead object.
    pub fn find(objects: &Objects, dead: &Bits) -> Components {
        let ids: Vec<u32> = dead.iter().collect();
        let (component, count) = tarjan(objects, dead, &ids);
        let (first, members) = grouped(&component, count);
        let mut it = Components { objects: ids, first, members, cyclic: Vec::new(), holder: Vec::new() };
        it.cyclic = (0..count).map(|c| it.is_cycle(objects, c)).collect();
        it.holder = it.holders(objects, dead);
        it
    }

    /// Components, single objects included.
    pub fn count(&self) -> u32 {
        self.cyclic.len() as u32
    }

    /// The components that are cycles: more than one object, or an object that refers to itself.
    pub fn cycles(&self) -> impl Iterator<Item = u32> {
        (0..self.count()).filter(|&c| self.cyclic[c as usize])
    }

    /// The objects of a component.
    pub fn objects(&self, component: u32) -> impl Iterator<Item = u32> {
        self.positions(component).iter().map(|&position| self.objects[position as usize])
    }

    /// For each dead object, the cycle that holds it: its own, or one from which it is reached; none if no cycle
    /// reaches it.
    pub fn held(&self) -> impl Iterator<Item = (u32, Option<u32>)> {
        self.objects.iter().zip(&self.holder).map(|(&id, &holder)| (id, (holder != NONE).then_some(holder)))
    }

    /// An object of each component, so that every component comes after those that refer to it.
    pub(super) fn entries(&self) -> impl Iterator<Item = u32> {
        (0..self.count()).rev().filter_map(|component| self.objects(component).next())
    }

    fn positions(&self, component: u32) -> &[u32] {
        let c = component as usize;
        &self.members[self.first[c] as usize..self.first[c + 1] as usize]
    }

    fn is_cycle(&self, objects: &Objects, component: u32) -> bool {
        match self.positions(component) {
            [one] => {
                let id = self.objects[*one as usize];
                objects.referents(id).contains(&id)
            }
            _ => true,
        }
    }

    fn holders(&self, objects: &Objects, dead: &Bits) -> Vec<u32> {
        let mut holder = vec![NONE; self.objects.len()];
        for component in (0..self.count()).rev() {
            for &position in self.positions(component) {
                if self.cyclic[component as usize] {
                    holder[position as usize] = component;
                }
                let by = holder[position as usize];
                for &referent in objects.referents(self.objects[position as usize]) {
                    if dead.has(referent) {
                        let target = &mut holder[dead.position(referent) as usize];
                        if *target == NONE {
                            *target = by;
                        }
                    }
                }
            }
        }
        holder
    }
}

/// The component of each dead object, and how many there are.
fn tarjan(objects: &Objects, dead: &Bits, ids: &[u32]) -> (Vec<u32>, u32) {
    let mut component = vec![NONE; ids.len()];
    let mut count = 0;
    // Order of discovery from 1; the lowest that an object's successors reach.
    let (mut order, mut low) = (vec![0u32; ids.len()], vec![0u32; ids.len()]);
    let mut discovered = 0;
    let mut open: Vec<u32> = Vec::new();
    // Positions on the way down, with the reference to follow next.
    let mut way: Vec<(u32, u32)> = Vec::new();
    for start in 0..ids.len() as u32 {
        if order[start as usize] != 0 {
            continue;
        }
        way.push((start, 0));
        while let Some(&mut (at, ref mut next)) = way.last_mut() {
            let here = at as usize;
            if *next == 0 {
                discovered += 1;
                (order[here], low[here]) = (discovered, discovered);
                open.push(at);
            }
            let referents = &objects.referents(ids[here])[*next as usize..];
            let mut down = None;
            for &referent in referents {
                *next += 1;
                if !dead.has(referent) {
                    continue;
                }
                let target = dead.position(referent);
                if order[target as usize] == 0 {
                    down = Some(target);
                    break;
                }
                if component[target as usize] == NONE {
                    low[here] = low[here].min(order[target as usize]);
                }
            }
            if let Some(target) = down {
                way.push((target, 0));
                continue;
            }
            way.pop();
            if low[here] == order[here] {
                while let Some(member) = open.pop() {
                    component[member as usize] = count;
                    if member == at {
                        break;
                    }
                }
                count += 1;
            }
            if let Some(&(above, _)) = way.last() {
                low[above as usize] = low[above as usize].min(low[here]);
            }
        }
    }
    (component, count)
}

/// The members of each group, in one list.
fn grouped(group: &[u32], count: u32) -> (Vec<u32>, Vec<u32>) {
    let mut first = vec![0u32; count as usize + 1];
    for &c in group {
        first[c as usize + 1] += 1;
    }
    for c in 0..count as usize {
        first[c + 1] += first[c];
    }
    let mut next = first.clone();
    let mut members = vec![0; group.len()];
    for (position, &c) in (0..).zip(group) {
        members[next[c as usize] as usize] = position;
        next[c as usize] += 1;
    }
    (first, members)
}
