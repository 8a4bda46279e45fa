# -*- coding: utf-8 -*-
"""Random classes and hierarchies, measured here and now.

usage: fresh.py SEED CASES > TABLE        on each interpreter to be measured; 2.7 and 3.6 on

A line is {"v", "classes", "t", "set", "del", "gs"}: version; class statements [name, [bases], slots or null]; what
each gave: [basicsize, itemsize, dictoffset, weakrefoffset], the error text, or "-" if a base is missing; attributes
set on every instance of the last class that could be made, and one deleted from the last instance (or null);
[getsizeof, getsizeof of the __dict__ or null] of the last of 40 instances.
"""
from __future__ import print_function
import json
import random
import sys

BUILTINS = [object, list, dict, int, tuple, str, Exception]


def statements(rand):
    root = rand.choice(BUILTINS).__name__ if rand.random() < 0.3 else "object"
    classes = []
    for i in range(rand.randrange(1, 7)):
        above = [it[0] for it in classes]
        bases = rand.sample(above, min(len(above), rand.choice([1, 1, 2, 3]))) if rand.random() < 0.8 else []
        slots = None
        if rand.random() < 0.7:
            slots = rand.sample(["a", "b", "c", "d", "e", "__p", "_q"], rand.randrange(5))
            slots += [name for name in ("__dict__", "__weakref__") if rand.random() < 0.2]
            slots += ["a"] if rand.random() < 0.1 else []
        classes.append(["K%d" % i, bases or [root], slots])
    return classes


def make(classes):
    known = dict((it.__name__, it) for it in BUILTINS)
    outcomes, last = [], None
    for name, bases, slots in classes:
        if any(base not in known for base in bases):
            outcomes.append("-")
            continue
        namespace = {} if slots is None else {"__slots__": tuple(str(it) for it in slots)}
        try:
            made = type(str(name), tuple(known[base] for base in bases), namespace)
        except TypeError as error:
            outcomes.append("TypeError: %s" % error)
            continue
        known[name] = last = made
        outcomes.append([made.__basicsize__, made.__itemsize__, made.__dictoffset__, made.__weakrefoffset__])
    return outcomes, last


def main():
    rand = random.Random(int(sys.argv[1]))
    version = "%d.%d.%d" % sys.version_info[:3]
    for _ in range(int(sys.argv[2])):
        classes = statements(rand)
        outcomes, last = make(classes)
        names = ["n%d" % i for i in range(rand.choice([0, 1, 2, 3, 5, 6, 12, 29, 31]))]
        row = {"v": version, "classes": classes, "t": outcomes, "set": [], "del": None, "gs": None}
        if last is not None:
            has_dict = last.__dictoffset__ != 0
            row["set"] = names if has_dict else []
            keep = []
            for _ in range(40):
                it = last()
                for name in row["set"]:
                    setattr(it, name, 0)
                keep.append(it)
            if row["set"] and rand.random() < 0.2:
                row["del"] = rand.choice(row["set"])
                delattr(keep[-1], row["del"])
            row["gs"] = [sys.getsizeof(keep[-1]), sys.getsizeof(keep[-1].__dict__) if has_dict else None]
        print(json.dumps(row))


main()
