#!/usr/bin/env python3
"""Lives of random instances: what happens to them, and what sys.getsizeof says in the end.

usage: events.py SEED CASES > TABLE        on each interpreter to be measured

A line is {"v", "k", "n", "ev", "gs"}: version; kind of class; number of instances, all made first; events
[what, instance, name or names] in order; [getsizeof(obj), getsizeof(obj.__dict__)] of each instance. An event
"del" is only listed where the attribute was there.
"""
import json
import random
import sys

CLASSES = {
    "dict": "class C: pass",
    "slots_dict": "class C: __slots__ = ('s', 't', '__dict__')",
    "slots_sub": "class B: __slots__ = ('s',)\nclass C(B): pass",
    "exc": "class C(Exception): pass",
    "intsub": "class C(int): pass",
    "listsub": "class C(list): pass",
}


def live(rand, instances, pool):
    """Lets events happen; the list of them."""
    events = []
    for _ in range(rand.choice([5, 20, 60])):
        i = rand.randrange(len(instances))
        it = instances[i]
        what = rand.choices(["set", "del", "touch", "many", "update", "replace"], [12, 5, 2, 2, 1, 0.3])[0]
        some = rand.sample(pool, rand.randrange(len(pool) + 1))
        if what == "set":
            setattr(it, some[0] if some else pool[0], 0)
            events.append(["set", i, some[0] if some else pool[0]])
        elif what == "del" and some and hasattr(it, some[0]):
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
    return events


def main():
    rand = random.Random(int(sys.argv[1]))
    version = "%d.%d.%d" % sys.version_info[:3]
    for _ in range(int(sys.argv[2])):
        kind = rand.choice(sorted(CLASSES) + ["dict"] * 3)
        namespace = {}
        exec(CLASSES[kind], namespace)
        instances = [namespace["C"]() for _ in range(rand.choice([1, 3, 8, 40]))]
        names = ["n%d" % i for i in range(rand.choice([3, 6, 12, 60]))]
        events = live(rand, instances, names)
        sizes = [[sys.getsizeof(it), sys.getsizeof(it.__dict__)] for it in instances]
        row = {"v": version, "k": kind, "n": len(instances), "ev": events, "gs": sizes}
        print(json.dumps(row, separators=(",", ":")))


main()
