"""The patterns in CPython: python patterns.py NAME SCALE.

Prints one line of key=value words: ns (an operation), and where they mean something longest_ns (of one iteration, CPU time of the
thread), uncollected (objects at most), p50_ns, p99_ns, p999_ns (of a request).
"""
import gc
import sys
import time

NAME, SCALE = sys.argv[1], min(max(float(sys.argv[2]), 0.001), 16.0)
cpu_time = time.thread_time_ns


class Node:
    __slots__ = ("a", "b", "c")


class Bag(list):
    __slots__ = ()


def of(whole):
    return max(int(whole * SCALE), 1)


OBJECTS = 1 << (of(1_000_000) - 1).bit_length()


def numbers():
    state = 88172645463325252
    mask = (1 << 64) - 1
    while True:
        state ^= (state << 13) & mask
        state ^= state >> 7
        state ^= (state << 17) & mask
        yield state >> 20


RANDOM = numbers()


def below(bound):
    return next(RANDOM) % bound


def targets(shape, i):
    if shape == "tree":
        return 2 * i + 1, 2 * i + 2, (i - 1) // 2 if i else OBJECTS
    if shape == "pairs":
        return i ^ 1, OBJECTS, OBJECTS
    if shape == "ring":
        return (i + 1) % OBJECTS, OBJECTS, OBJECTS
    return (i + 654321) % OBJECTS, below(OBJECTS), below(OBJECTS)


def build(shape):
    nodes = [Node() for _ in range(OBJECTS)]
    for i, node in enumerate(nodes):
        node.a, node.b, node.c = (nodes[t] if t < OBJECTS else None for t in targets(shape, i))
    return nodes


def timed(collect):
    start = time.perf_counter_ns()
    found = collect()
    return (time.perf_counter_ns() - start) / OBJECTS, found


def full(shape, dead):
    gc.disable()
    kept = build(shape)
    if shape != "pairs":
        kept = kept[:1]
    live, found = timed(gc.collect)
    assert found == 0, found
    if not dead:
        again, found = timed(gc.collect)
        assert found == 0, found
        return {"ns": min(live, again)}
    kept.clear()
    took, found = timed(gc.collect)
    assert found == OBJECTS, found
    return {"ns": took}


def churn(touch):
    gc.disable()
    live = build("tree")
    gc.collect()
    gc.enable()
    pairs = of(2_000_000)
    order = [below(OBJECTS) for _ in range(min(pairs, 1 << 16))]

    def run(count, each):
        for i in range(count):
            a, b = Node(), Node()
            a.a, b.a = b, a
            if touch == "look":
                live[order[i & 0xFFFF] % OBJECTS].a
            elif touch == "clone":
                x = live[order[i & 0xFFFF] % OBJECTS]
                del x
            if each is not None:
                each(i)

    start = time.perf_counter_ns()
    run(pairs, None)
    ns = (time.perf_counter_ns() - start) / pairs
    gc.collect()
    base = sys.getallocatedblocks()
    state = {"before": cpu_time(), "longest": 0, "most": 0}

    def each(i):
        now = cpu_time()
        state["longest"] = max(state["longest"], now - state["before"])
        if i % 64 == 0:
            state["most"] = max(state["most"], sys.getallocatedblocks() - base)
        state["before"] = cpu_time()

    run(pairs // 2, each)
    assert len(live) == OBJECTS
    return {"ns": ns, "longest_ns": state["longest"], "uncollected": state["most"]}


def request(id):
    context = Node()
    last = None
    for _ in range(39):
        part = Node()
        part.a, part.b = context, last
        last = part
    context.a = last
    return context


def requests():
    count, sessions = of(200_000), min(of(10_000), 10_000)
    live = [request(i) for i in range(sessions)]
    gc.collect()
    latencies = []
    start = time.perf_counter_ns()
    for id in range(count):
        before = cpu_time()
        place = below(8 * sessions)
        context = request(id)
        if place < sessions:
            live[place] = context
        latencies.append(cpu_time() - before)
    ns = (time.perf_counter_ns() - start) / count
    latencies.sort()
    at = lambda part: latencies[round((count - 1) * part)]
    return {"ns": ns, "p50_ns": at(0.5), "p99_ns": at(0.99), "p999_ns": at(0.999), "longest_ns": at(1)}


def tree(levels):
    node = Node()
    node.a = node.b = None
    if levels > 1:
        node.a, node.b = tree(levels - 1), tree(levels - 1)
    return node


def count(node):
    return 1 + (count(node.a) + count(node.b) if node.a is not None else 0)


def trees():
    deepest = min(max((of(65_536) - 1).bit_length(), 6), 20)
    start = time.perf_counter_ns()
    stays = tree(deepest)
    made, counted = (1 << deepest) - 1, 0
    for levels in range(4, deepest + 1, 4):
        for _ in range(1 << (deepest - levels)):
            counted += count(tree(levels))
            made += (1 << levels) - 1
    counted += count(stays)
    assert counted == made
    return {"ns": (time.perf_counter_ns() - start) / made}


def references():
    operations = of(1_000_000)
    bags = [Bag() for _ in range(50)]
    start = time.perf_counter_ns()
    for _ in range(operations):
        if not bags:
            bags.append(Bag())
            continue
        what = below(4)
        if what == 0:
            bags.append(Bag())
        elif what == 1:
            bags[below(len(bags))].append(bags[below(len(bags))])
        elif what == 2:
            place = below(len(bags))
            bags[place] = bags[-1]
            bags.pop()
        else:
            bag = bags[below(len(bags))]
            if bag:
                place = below(len(bag))
                bag[place] = bag[-1]
                bag.pop()
    bags.clear()
    gc.collect()
    return {"ns": (time.perf_counter_ns() - start) / operations}


def main():
    shape, _, rest = NAME.partition("-")
    if shape in ("tree", "pairs", "ring", "random"):
        return full(shape, rest == "dead")
    if shape == "churn":
        return churn(rest)
    if NAME == "requests":
        return requests()
    if NAME == "binary-trees":
        return trees()
    if NAME == "references":
        return references()
    sys.exit(f"no pattern {NAME} here")


print(*(f"{key}={value}" for key, value in main().items()))
