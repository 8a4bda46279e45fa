# The patterns of this crate on an interpreter: a line `NAME SUBJECT NANOSECONDS BYTES` each, bytes 0 if not counted.
# The loop around the work is subtracted. Garbage collection is off, which favours the interpreter.
import gc, sys, time, random

gc.disable()
scale = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
clock = time.perf_counter_ns


def report(name, subject, ns, operations, size=0):
    print(name, subject, max(ns, 0) / operations, size, flush=True)


class Plain:
    def __init__(self, name, age, api_token):
        self.name = name
        self.age = age
        self.api_token = api_token


class Slotted:
    __slots__ = ("name", "age", "api_token")
    __init__ = Plain.__init__


def token(i):
    return "%032x" % ((i + 1) * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128)


def make(kind, count):
    return [kind("user%d" % i, i % 100, token(i)) for i in range(count)]


def empty_loop(objects, rounds):
    start = clock()
    for _ in range(rounds):
        for o in objects:
            pass
    return clock() - start


def read_loop(objects, rounds):
    start = clock()
    for _ in range(rounds):
        for o in objects:
            o.age
    return clock() - start


for kind, subject in ((Slotted, "slots"), (Plain, "dict")):
    hot = make(kind, 1000)
    rounds = max(int(2000 * scale), 20)
    read_loop(hot, 10)
    best = min(read_loop(hot, rounds) - empty_loop(hot, rounds) for _ in range(3))
    report("read-hot", subject, best, 1000 * rounds)
    count = max(int(1_000_000 * scale), 100)
    start = clock()
    objects = make(kind, count)
    ns = clock() - start
    assert sum(o.age for o in objects) == sum(i % 100 for i in range(count))
    report("build", subject, ns, count)
    random.Random(7).shuffle(objects)
    report("read-shuffled", subject, read_loop(objects, 1) - empty_loop(objects, 1), count)
    del objects


def probe(d, probes):
    start = clock()
    for k in probes:
        k in d
    return clock() - start


def nothing(probes):
    start = clock()
    for k in probes:
        pass
    return clock() - start


for size, label in ((8, "8"), (1000, "1k"), (1_000_000, "1m")):
    if size > 1000:
        size = max(int(size * scale), 1)
    keys = ["key%d" % i for i in range(size)]
    others = ["other%d" % i for i in range(size)]
    for k in keys + others:
        hash(k)
    shuffled, strange = keys[:], others[:]
    random.Random(3).shuffle(shuffled)
    random.Random(3).shuffle(strange)
    rounds = max(200_000 // size, 1)

    def fill():
        d = {}
        for k in keys:
            d[k] = 0
        return d

    start = clock()
    made = [fill() for _ in range(rounds)]
    ns = clock() - start
    ns -= sum(nothing(keys) for _ in range(rounds))
    d = made[0]
    assert len(d) == size and list(d) == keys
    report("insert-" + label, "dict", ns, size * rounds, (sys.getsizeof(d) - sys.getsizeof({})) / size)
    idle = sum(nothing(shuffled) for _ in range(rounds))
    report("hit-" + label, "dict", sum(probe(d, shuffled) for _ in range(rounds)) - idle, size * rounds)
    report("miss-" + label, "dict", sum(probe(d, strange) for _ in range(rounds)) - idle, size * rounds)
    start = clock()
    for _ in range(rounds):
        for v in d.values():
            pass
    report("iterate-" + label, "dict", clock() - start, size * rounds)
    start = clock()
    for m in made:
        for k in shuffled:
            del m[k]
    report("delete-" + label, "dict", clock() - start - idle, size * rounds)
    assert not d
    del made
