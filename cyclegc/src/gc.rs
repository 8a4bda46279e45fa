//! CPython's module `gc`, for the thread's own collector.
//!
//! | CPython | here |
//! | --- | --- |
//! | `gc.collect()`, `gc.collect(n)` | [`collect`](crate::collect), [`collect_generation`] |
//! | `enable`, `disable`, `isenabled` | [`enable`], [`disable`], [`is_enabled`] |
//! | `get_threshold`, `set_threshold`, `get_count`, `get_stats` | the same |
//! | `get_objects`, `get_referrers`, `get_referents` | the same, over [`AnyGc`] |
//! | `is_tracked`, `is_finalized` | the same |
//! | `freeze`, `unfreeze`, `get_freeze_count` | the same |
//! | `gc.callbacks` | [`add_callback`], [`remove_callback`] |
//! | `set_debug`, `get_debug`, `gc.garbage` | [`set_debug`], [`get_debug`], [`garbage`], [`clear_garbage`] |
//! | `sys.unraisablehook` | [`set_panic_hook`] |
//! | - | [`step`]: a collection of bounded length |

use core::time::Duration;

use crate::any::AnyGc;
use crate::collector::{Collector, GenerationStats};
use crate::events::{CallbackId, Debug, Info, Phase};
use crate::gc_ptr::Gc;
use crate::heap;
use crate::inspect::{self, Edges};
use crate::object::ObjPtr;
use crate::schedule::Generation;
use crate::step::StepReport;

/// Lets `Gc::new` start collections: see [`Collector::enable`].
pub fn enable() {
    Collector::with_current(Collector::enable);
}

/// Collections run only when they are asked for: see [`Collector::disable`].
pub fn disable() {
    Collector::with_current(Collector::disable);
}

/// True unless [`disable`] was called.
pub fn is_enabled() -> bool {
    Collector::with_current(Collector::is_enabled)
}

/// See [`Collector::get_threshold`].
pub fn get_threshold() -> [u32; 3] {
    Collector::with_current(Collector::get_threshold)
}

/// See [`Collector::set_threshold`].
pub fn set_threshold(thresholds: [u32; 3]) {
    Collector::with_current(|collector| collector.set_threshold(thresholds));
}

/// See [`Collector::get_count`].
pub fn get_count() -> [u32; 3] {
    Collector::with_current(Collector::get_count)
}

/// See [`Collector::get_stats`].
pub fn get_stats() -> [GenerationStats; 3] {
    Collector::with_current(Collector::get_stats)
}

/// Collects one generation and all younger ones: see [`Collector::collect_generation`].
///
/// # Panics
/// As [`Collector::collect`].
pub fn collect_generation(generation: Generation) -> usize {
    Collector::with_current(|collector| collector.collect_generation(generation))
}

/// Collects for about as long as `budget`: see [`Collector::step`].
///
/// # Panics
/// As [`Collector::collect`].
pub fn step(budget: Duration) -> StepReport {
    Collector::with_current(|collector| collector.step(budget))
}

/// See [`Collector::get_objects`].
pub fn get_objects(generation: Option<Generation>) -> Vec<AnyGc> {
    Collector::with_current(|collector| collector.get_objects(generation))
}

/// See [`Collector::get_referrers`].
pub fn get_referrers(targets: &[AnyGc]) -> Vec<AnyGc> {
    Collector::with_current(|collector| collector.get_referrers(targets))
}

/// The objects that the given ones refer to, of any collector, in the order in which they are visited; an object that is
/// referred to twice comes twice. What is mutably borrowed at the moment is left out, and so are references that
/// are not traced. Objects that are not tracked have none.
pub fn get_referents(objects: &[AnyGc]) -> Vec<AnyGc> {
    let tracked = objects.iter().filter_map(AnyGc::object).filter(|object| object.meta().is_tracked());
    tracked.flat_map(Edges::of).filter_map(AnyGc::to_target).collect()
}

/// True if collections look into the object: its type can own a `Gc`. False for a dead handle.
pub fn is_tracked<T: ?Sized>(object: &Gc<T>) -> bool {
    object.object().is_some_and(|object| object.meta().is_tracked())
}

/// True if the object's finalizer has run: it was resurrected.
pub fn is_finalized<T: ?Sized>(object: &Gc<T>) -> bool {
    object.object().is_some_and(|object: ObjPtr| object.meta().is_finalized())
}

/// See [`Collector::freeze`].
pub fn freeze() {
    Collector::with_current(Collector::freeze);
}

/// See [`Collector::unfreeze`].
pub fn unfreeze() {
    Collector::with_current(Collector::unfreeze);
}

/// See [`Collector::get_freeze_count`].
pub fn get_freeze_count() -> usize {
    heap::current().map_or(0, inspect::freeze_count)
}

/// See [`Collector::add_callback`].
pub fn add_callback(callback: impl Fn(Phase, &Info) + 'static) -> CallbackId {
    Collector::with_current(|collector| collector.add_callback(callback))
}

/// See [`Collector::remove_callback`].
pub fn remove_callback(id: CallbackId) -> bool {
    Collector::with_current(|collector| collector.remove_callback(id))
}

/// See [`Collector::set_debug`].
pub fn set_debug(debug: Debug) {
    Collector::with_current(|collector| collector.set_debug(debug));
}

/// What [`set_debug`] has set.
pub fn get_debug() -> Debug {
    Collector::with_current(Collector::get_debug)
}

/// See [`Collector::garbage`].
pub fn garbage() -> Vec<AnyGc> {
    heap::current().map_or(Vec::new(), inspect::garbage)
}

/// See [`Collector::clear_garbage`].
pub fn clear_garbage() -> usize {
    heap::current().map_or(0, inspect::clear_garbage)
}

/// See [`Collector::set_panic_hook`].
pub fn set_panic_hook(hook: impl Fn(Box<dyn core::any::Any + Send>) + 'static) {
    Collector::with_current(|collector| collector.set_panic_hook(hook));
}

/// See [`Collector::take_panic_hook`].
pub fn take_panic_hook() {
    Collector::with_current(Collector::take_panic_hook);
}

/// See [`Collector::add_external_bytes`].
pub fn add_external_bytes(bytes: isize) {
    Collector::with_current(|collector| collector.add_external_bytes(bytes));
}
