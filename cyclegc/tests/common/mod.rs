//! Objects whose behaviour each test decides, and a collector of their own.
#![allow(dead_code, reason = "each test file uses a part")]

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use cpymem_cyclegc::{AnyGc, Clearer, Collector, Finalize, Gc, Trace, Visitor, Weak};

type Finalizer = Rc<dyn Fn(&Gc<Obj>)>;

/// An object with edges, a list of what happens to objects, and a finalizer that a test sets.
#[derive(Trace)]
#[trace(finalize, drop)]
pub(crate) struct Obj {
    pub(crate) edges: RefCell<Vec<Gc<Obj>>>,
    pub(crate) any: RefCell<Vec<AnyGc>>,
    pub(crate) weaks: RefCell<Vec<Weak<Obj>>>,
    #[trace(skip)]
    pub(crate) name: String,
    #[trace(skip)]
    pub(crate) world: Rc<Log>,
    #[trace(skip)]
    pub(crate) finalizer: RefCell<Option<Finalizer>>,
}

/// What happened, in order: names of objects.
#[derive(Default)]
pub(crate) struct Log {
    pub(crate) finalized: RefCell<Vec<String>>,
    pub(crate) dropped: RefCell<Vec<String>>,
    pub(crate) called: RefCell<Vec<String>>,
    pub(crate) survivors: RefCell<Vec<Gc<Obj>>>,
    pub(crate) made: Cell<usize>,
}

impl Finalize for Obj {
    fn finalize(this: &Gc<Obj>) {
        this.world.finalized.borrow_mut().push(this.name.clone());
        let finalizer = this.finalizer.borrow().clone();
        if let Some(finalizer) = finalizer {
            finalizer(this);
        }
    }
}

impl Drop for Obj {
    fn drop(&mut self) {
        self.world.dropped.borrow_mut().push(self.name.clone());
    }
}

pub(crate) struct World {
    pub(crate) collector: Collector,
    pub(crate) log: Rc<Log>,
}

impl World {
    /// A collector that collects only when it is told to.
    pub(crate) fn new() -> World {
        let collector = Collector::new();
        collector.disable();
        World { collector, log: Rc::default() }
    }

    pub(crate) fn obj(&self, name: &str) -> Gc<Obj> {
        self.log.made.set(self.log.made.get() + 1);
        self.collector.alloc(Obj {
            edges: RefCell::default(),
            any: RefCell::default(),
            weaks: RefCell::default(),
            name: name.to_owned(),
            world: self.log.clone(),
            finalizer: RefCell::default(),
        })
    }

    /// An object that refers to itself.
    pub(crate) fn selfish(&self, name: &str) -> Gc<Obj> {
        let obj = self.obj(name);
        link(&obj, &obj);
        obj
    }

    pub(crate) fn collect(&self) -> usize {
        self.collector.collect()
    }

    /// What has called back, in order; forgotten then.
    pub(crate) fn called(&self) -> Vec<String> {
        self.log.called.take()
    }

    pub(crate) fn dropped(&self) -> Vec<String> {
        sorted(self.log.dropped.take())
    }

    pub(crate) fn finalized(&self) -> Vec<String> {
        sorted(self.log.finalized.take())
    }

    pub(crate) fn survivors(&self) -> Vec<Gc<Obj>> {
        self.log.survivors.take()
    }

    /// A weak reference whose callback writes `what` down.
    pub(crate) fn watch(&self, obj: &Gc<Obj>, what: &str) -> Weak<Obj> {
        let (log, what) = (self.log.clone(), what.to_owned());
        Gc::downgrade_with(obj, move |_| log.called.borrow_mut().push(what))
    }
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

pub(crate) fn link(from: &Gc<Obj>, to: &Gc<Obj>) {
    from.edges.borrow_mut().push(to.clone());
}

/// Each refers to the next, the last to the first.
pub(crate) fn ring(objects: &[Gc<Obj>]) {
    for (i, obj) in objects.iter().enumerate() {
        link(obj, &objects[(i + 1) % objects.len()]);
    }
}

pub(crate) fn on_finalize(obj: &Gc<Obj>, run: impl Fn(&Gc<Obj>) + 'static) {
    *obj.finalizer.borrow_mut() = Some(Rc::new(run));
}

/// A finalizer that resurrects its object.
pub(crate) fn resurrects(obj: &Gc<Obj>) {
    on_finalize(obj, |this| this.world.survivors.borrow_mut().push(this.clone()));
}

/// A finalizer that breaks the cycle that its object is in.
pub(crate) fn commits_suicide(obj: &Gc<Obj>) {
    on_finalize(obj, |this| this.edges.take().clear());
}

/// An object that reports each of its edges twice.
#[derive(Default)]
pub(crate) struct Liar(pub(crate) RefCell<Vec<Gc<Liar>>>);

#[allow(unsafe_code, reason = "a wrong implementation, to see that it is noticed")]
// SAFETY: the contract is broken on purpose, but no object is freed too early by it: in these tests an edge leads to an object that has no
// other reference, so that more are reported than are counted. The collector sees that, gives the pass up and frees nothing.
unsafe impl Trace for Liar {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        visitor.visit(&self.0);
        visitor.visit(&self.0);
    }

    fn clear(&mut self, clearer: &mut Clearer<'_>) {
        clearer.clear(&mut self.0);
    }
}
