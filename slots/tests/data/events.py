#!/usr/bin/env python3
# -*- coding: utf-8 -*-
"""Lives of random instances: what happens to them, and what sys.getsizeof says in the end.

usage: events.py SEED CASES > TABLE        on each interpreter to be measured; 2.7 and 3.6 on

A line is {"v", "k", "n", "ev", "gs"}: version; kind of class; number of instances, all made first; events
[what, instance, name or names] in order; [getsizeof(obj), getsizeof(obj.__dict__)] of each instance. The events
"copy" and "pickle" add an instance to the end of the list, "class" changes the class of one to the other of two that
have the same body, or fails with the text that is listed. An event "del" is only listed where the attribute was there,
and never on 2.7: where a dict of that version puts a name after a deletion depends on hashes.
"""
from __future__ import print_function
import copy
import json
import pickle
import random
import sys

CLASSES = {
    "dict": "class C(object): pass",
    "slots_dict": "class C(object): __slots__ = ('s', 't', '__dict__')",
    "slots_sub": "class B(object): __slots__ = ('s',)\nclass C(B): pass",
    "exc": "class C(Exception): pass",
    "intsub": "class C(int): pass",
    "listsub": "class C(list): pass",
    "dictsub": "class C(dict): pass",
    "strsub": "class C(str): pass",
    "tuplesub": "class C(tuple): pass",
    "floatsub": "class C(float): pass",
    "setsub": "class C(set): pass",
}
WEIGHTS = {"set": 12, "del": 5, "touch": 1.5, "many": 2, "update": 1, "replace": 0.4, "item": 1, "other": 0.3, "clear": 0.3,
           "copy": 0.7, "pickle": 0.7, "class": 0.5}


def choose(rand):
    at = rand.random() * sum(WEIGHTS.values())
    for what in sorted(WEIGHTS):
        at -= WEIGHTS[what]
        if at < 0:
            break
    return what


def live(rand, instances, pool, classes):
    """Lets events happen; the list of them."""
    events = []
    others = False  # some dict has a key that is no string
    for _ in range(rand.choice([5, 20, 60])):
        i = rand.randrange(len(instances))
        it = instances[i]
        what = choose(rand)
        some = rand.sample(pool, rand.randrange(len(pool) + 1))
        if what == "set":
            setattr(it, some[0] if some else pool[0], 0)
            events.append(["set", i, some[0] if some else pool[0]])
        elif what == "item":
            it.__dict__[sys.intern(some[0]) if some else pool[0]] = 0
            events.append(["item", i, some[0] if some else pool[0]])
        elif what == "del" and some and hasattr(it, some[0]) and sys.version_info[0] > 2:
            delattr(it, some[0])
            events.append(["del", i, some[0]])
        elif what == "touch":
            it.__dict__
            events.append(["touch", i, None])
        elif what == "many":
            for name in some:
                setattr(it, name, 0)
                events.append(["set", i, name])
        elif what in ("update", "replace"):
            grown = {}
            for name in some:
                grown[name] = 0
            if what == "update":
                it.__dict__.update(grown)
            else:
                it.__dict__ = grown
            events.append([what, i, some])
        elif what == "other":
            it.__dict__[len(events)] = 0
            others = True
            events.append(["other", i, None])
        elif what == "clear":
            it.__dict__.clear()
            events.append(["clear", i, None])
        elif what == "copy" and not (isinstance(it, Exception) and others):
            instances.append(copy.copy(it))
            events.append(["copy", i, None])
        elif what == "pickle" and not others:
            instances.append(pickle.loads(pickle.dumps(it, 2)))
            events.append(["pickle", i, None])
        elif what == "class":
            try:
                it.__class__ = classes[classes[0] is type(it)]
                events.append(["class", i, None])
            except TypeError as error:
                events.append(["class", i, "TypeError: %s" % error])
    return events


def main():
    rand = random.Random(int(sys.argv[1]))
    version = "%d.%d.%d" % sys.version_info[:3]
    if sys.version_info[0] == 2:
        sys.intern = intern
    for _ in range(int(sys.argv[2])):
        kind = rand.choice(sorted(CLASSES) + ["dict"] * 4)
        classes = []
        for name in ("C", "D"):
            namespace = {"__name__": "__main__"}
            exec(CLASSES[kind].replace("class C", "class " + name), namespace)
            globals()[name] = namespace[name]
            classes.append(namespace[name])
            if name == "C":
                base = namespace.get("B")
        if base is not None:
            # Both have the very same base.
            classes[1] = globals()["D"] = type("D", (base,), {"__module__": "__main__"})
        instances = [classes[0]() for _ in range(rand.choice([1, 3, 8, 40]))]
        count = len(instances)
        names = ["n%d" % i for i in range(rand.choice([3, 6, 12, 60]))]
        events = live(rand, instances, names, classes)
        sizes = [[sys.getsizeof(it), sys.getsizeof(it.__dict__)] for it in instances]
        row = {"v": version, "k": kind, "n": count, "ev": events, "gs": sizes}
        print(json.dumps(row, separators=(",", ":")))


if __name__ == "__main__":
    main()
