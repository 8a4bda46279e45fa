# -*- coding: utf-8 -*-
"""What slots break, tried out.

usage: breaks.py          on an interpreter to be asked; 2.7 and 3.6 on

Prints a JSON object: what was tried -> the error text, or null if it works.
"""
from __future__ import print_function
import collections
import json
import pickle
import sys
import weakref

try:
    from functools import cached_property
except ImportError:
    cached_property = None
try:
    import dataclasses
except ImportError:
    dataclasses = None


class Slotted(object):
    __slots__ = ("a", "b")

    def __init__(self):
        self.a = self.b = 0


class WithWeakref(object):
    __slots__ = ("a", "__weakref__")


class Getstate(Slotted):
    __slots__ = ()

    def __getstate__(self):
        return self.a

    def __setstate__(self, state):
        self.a = state


Tuple = collections.namedtuple("Tuple", "a b")
made = {"slots": Slotted, "named tuple": lambda: Tuple(0, 0), "tuple": lambda: (0, 0)}
if dataclasses and sys.version_info >= (3, 10):
    Data = dataclasses.dataclass(slots=True)(type("Data", (object,), {"__annotations__": {"a": int}, "__module__": __name__}))
    made["dataclass"] = lambda: Data(0)


def default():
    type("C", (object,), {"__slots__": ("a",), "a": 1})


def two_bases():
    type("C", (Slotted, WithWeakref), {"__slots__": ()})


def assign(it):
    it.a = 1


def cached(make):
    if cached_property is None:
        return
    base = type(make())
    cls = type("C", (base,), {"__slots__": (), "p": cached_property(lambda self: 1)})
    (tuple if issubclass(base, tuple) else object).__new__(cls).p


results = {}


def attempt(name, act):
    try:
        act()
        results[name] = None
    except Exception as error:
        results[name] = "%s: %s" % (type(error).__name__, error)


for kind, make in made.items():
    attempt("weakref of " + kind, lambda: weakref.ref(make()))
    attempt("vars of " + kind, lambda: vars(make()))
    attempt("assignment to " + kind, lambda: assign(make()))
    attempt("cached_property on " + kind, lambda: cached(make))
    for protocol in (0, 1, 2):
        attempt("pickle %d of %s" % (protocol, kind), lambda: pickle.loads(pickle.dumps(make(), protocol)))
attempt("weakref of slots with __weakref__", lambda: weakref.ref(WithWeakref()))
attempt("pickle 0 of slots with __getstate__", lambda: pickle.loads(pickle.dumps(Getstate(), 0)))
attempt("default", default)
attempt("two bases", two_bases)
print(json.dumps(results))
