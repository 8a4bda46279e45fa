# -*- coding: utf-8 -*-
"""Random classes, dataclasses and hierarchies, measured here and now.

usage: fresh.py SEED CASES > TABLE        on each interpreter to be measured; 2.7 and 3.6 on

A line is {"v", "classes", "t", "set", "del", "gs", "req"}: version; class statements [name, [bases], slots or null,
dataclass or null], where a dataclass is {"slots", "weakref_slot", "fields"}, all fields, inherited ones first; what
each gave: [basicsize, itemsize, dictoffset, weakrefoffset], the error text, or "-" if a base is missing; attributes
set on every instance of the last class that could be made, and one deleted from the last instance (or null);
[getsizeof, getsizeof of the __dict__ or null] of the last of 184 instances; request size -> count for each of the last
64, by tracemalloc (null on 2.7).
"""
from __future__ import print_function
import collections
import gc
import json
import random
import sys

try:
    import tracemalloc
except ImportError:
    tracemalloc = None
try:
    import dataclasses
except ImportError:
    dataclasses = None

BUILTINS = [object, list, dict, int, tuple, str, Exception, float, bytes, set, frozenset]
FIELDS = ["f", "g", "h"]
WARM, MEASURED = 120, 64


def statements(rand):
    root = rand.choice(BUILTINS).__name__ if rand.random() < 0.35 else "object"
    # A bytes of 2.7 is a str.
    classes = []
    for i in range(rand.randrange(1, 7)):
        above = [it[0] for it in classes]
        bases = rand.sample(above, min(len(above), rand.choice([1, 1, 2, 3]))) if rand.random() < 0.8 else []
        slots = dataclass = None
        if rand.random() < 0.7:
            slots = rand.sample(["a", "b", "c", "d", "e", "__p", "_q"], rand.randrange(5))
            slots += [name for name in ("__dict__", "__weakref__") if rand.random() < 0.2]
            slots += ["a"] if rand.random() < 0.1 else []
        if dataclasses and rand.random() < 0.3:
            slots = slots if rand.random() < 0.2 else None
            own = rand.sample(FIELDS, rand.randrange(3))
            dataclass = {"slots": rand.random() < 0.7, "weakref_slot": rand.random() < 0.2, "fields": own}
        classes.append(["K%d" % i, bases or [root], slots, dataclass])
    return classes


def decorate(made, dataclass, fields):
    """Applies @dataclass; the statement's own fields are replaced by all of them."""
    dataclass["fields"] = [field.name for field in dataclasses.fields(dataclasses.dataclass(type(made)(
        made.__name__, made.__bases__, {"__annotations__": dict.fromkeys(fields, "int")})))]
    arguments = dict((name, True) for name in ("slots", "weakref_slot") if dataclass[name])
    return dataclasses.dataclass(**arguments)(made)


def make(classes):
    known = dict((it.__name__, it) for it in BUILTINS)
    outcomes, last = [], None
    for name, bases, slots, dataclass in classes:
        if any(base not in known for base in bases):
            outcomes.append("-")
            continue
        namespace = {} if slots is None else {"__slots__": tuple(str(it) for it in slots)}
        try:
            if dataclass:
                namespace["__annotations__"] = dict.fromkeys(dataclass["fields"], "int")
            made = type(str(name), tuple(known[base] for base in bases), namespace)
            if dataclass:
                made = decorate(made, dataclass, dataclass["fields"])
        except TypeError as error:
            outcomes.append("TypeError: %s" % error)
            continue
        known[name] = last = made
        outcomes.append([made.__basicsize__, made.__itemsize__, made.__dictoffset__, made.__weakrefoffset__])
    return outcomes, last


def new(made, names):
    it = made.__new__(made)
    for name in names:
        setattr(it, name, 0)
    return it


def measure(made, names, row):
    alive = [new(made, names) for _ in range(WARM)]
    last = [None] * MEASURED
    numbers = list(range(MEASURED))
    if tracemalloc:
        gc.collect()
        drained = [({}, {"q": 1}, [], [i], (i, 0), 1.5 * i) for i in range(200)]
        tracemalloc.start(1)
        for i in numbers:
            last[i] = new(made, names)
        snapshot = tracemalloc.take_snapshot()
        tracemalloc.stop()
        counts = collections.Counter(trace.size for trace in snapshot.traces)
        row["req"] = dict((str(size), round(n / float(MEASURED), 2)) for size, n in counts.items() if n > 1)
        del drained
    else:
        for i in numbers:
            last[i] = new(made, names)
    return alive, last


def main():
    rand = random.Random(int(sys.argv[1]))
    gc.disable()
    version = "%d.%d.%d" % sys.version_info[:3]
    if hasattr(sys, "_is_gil_enabled") and not sys._is_gil_enabled():
        version += "t"
    for _ in range(int(sys.argv[2])):
        classes = statements(rand)
        outcomes, last = make(classes)
        names = ["n%d" % i for i in range(rand.choice([0, 1, 2, 3, 5, 6, 12, 28, 29, 30, 31]))]
        row = {"v": version, "classes": classes, "t": outcomes, "set": [], "del": None, "gs": None, "req": None}
        if last is not None:
            has_dict = last.__dictoffset__ != 0
            row["set"] = names if has_dict else []
            alive, measured = measure(last, row["set"], row)
            it = measured[-1]
            if row["set"] and rand.random() < 0.2:
                row["del"] = rand.choice(row["set"])
                delattr(it, row["del"])
            row["gs"] = [sys.getsizeof(it), sys.getsizeof(it.__dict__) if has_dict else None]
        print(json.dumps(row))


main()
