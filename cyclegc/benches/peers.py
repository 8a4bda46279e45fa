"""The graphs of peers.rs in CPython: nanoseconds an object, best of several, a line "NAME LIVE GARBAGE" each."""
import gc
import sys
import time

COUNT = int(sys.argv[1])


class Node:
    __slots__ = ("a", "b", "c")


def numbers():
    state = 88172645463325252
    mask = (1 << 64) - 1
    while True:
        state ^= (state << 13) & mask
        state ^= state >> 7
        state ^= (state << 17) & mask
        yield (state >> 20) % COUNT


def tree(i, _):
    return 2 * i + 1, 2 * i + 2, (i - 1) // 2 if i else COUNT


def pairs(i, _):
    return i ^ 1, COUNT, COUNT


def ring(i, _):
    return (i + 1) % COUNT, COUNT, COUNT


def random(i, n):
    return (i + 654321) % COUNT, next(n), next(n)


def build(edges):
    nodes = [Node() for _ in range(COUNT)]
    n = numbers()
    for i, node in enumerate(nodes):
        node.a, node.b, node.c = (nodes[t] if t < COUNT else None for t in edges(i, n))
    return nodes if edges is pairs else nodes[0]


def timed(collect):
    start = time.perf_counter_ns()
    found = collect()
    return (time.perf_counter_ns() - start) / COUNT, found


gc.disable()
for edges in (tree, pairs, ring, random):
    live = dead = float("inf")
    for _ in range(2):
        kept = build(edges)
        gc.collect()
        for _ in range(2):
            took, found = timed(gc.collect)
            assert found == 0
            live = min(live, took)
        del kept
        took, found = timed(gc.collect)
        assert found == COUNT, found
        dead = min(dead, took)
    print(edges.__name__, live, dead, flush=True)
