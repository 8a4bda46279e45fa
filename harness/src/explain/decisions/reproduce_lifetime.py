"""Shows the finding in a process of its own: entries that are put in and never taken out, and what a bound brings.
python reproduce.py [MODULE:FUNCTION]    with an argument, calls your function 100 times and says which blocks stay"""
import importlib
import sys
import tracemalloc
from collections import OrderedDict

TARGET = "module.CACHE"  # set
FIRST_ENTRIES = 0  # set
LAST_ENTRIES = 4000  # set
EXPECTED_BYTES = 400000  # set

added = max(LAST_ENTRIES - FIRST_ENTRIES, 1)
each = max(EXPECTED_BYTES // added - 150, 1)            # an entry beside its key and its place in the table


def fill(cache, limit):
    for number in range(LAST_ENTRIES):
        cache["key %d" % number] = bytes(each)
        if limit and len(cache) > limit:
            cache.popitem(last=False)
    return cache


def measured(limit):
    tracemalloc.start()
    cache = fill(OrderedDict() if limit else {}, limit)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return held, len(cache)


def own(name):
    sys.path.insert(0, "")
    module, _, function = name.partition(":")
    call = getattr(importlib.import_module(module), function or "main")
    before = None
    for turn in range(100):
        call()
        blocks = sys.getallocatedblocks()
        if turn % 20 == 19:
            print("after %d calls: %d blocks%s" % (turn + 1, blocks, "" if before is None else ", %+d" % (blocks - before)))
            before = blocks


if len(sys.argv) > 1:
    own(sys.argv[1])
    sys.exit()
unbounded, entries = measured(None)
bounded, kept = measured(max(FIRST_ENTRIES, LAST_ENTRIES // 10, 1))
print("%s without a bound: %d entries, %d bytes" % (TARGET, entries, unbounded))
print("with a bound:%s %d entries, %d bytes; the bound brings %d" % (" " * len(TARGET), kept, bounded, unbounded - bounded))
sys.exit(0 if bounded < unbounded and kept < entries else 1)
