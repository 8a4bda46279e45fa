"""Shows the finding in a process of its own: objects in cycles stay until the collector comes, and none do without the cycle."""
import gc
import sys
import tracemalloc
import weakref

TARGET = "module.Node"  # set
OBJECTS = 5000  # set
EXPECTED_BYTES = 1000000  # set


class Node:
    def __init__(self, parent):
        self.parent = parent
        self.children = []


def make(reference):
    for _ in range(max(OBJECTS // 4, 1)):               # a pair of nodes with their lists
        root = Node(None)
        root.children.append(Node(reference(root)))


def waiting(reference):
    gc.collect()
    gc.disable()
    tracemalloc.start()
    make(reference)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    found = gc.collect()
    gc.enable()
    return held, found


make(lambda parent: parent)                             # warm
strong = waiting(lambda parent: parent)
weak = waiting(weakref.ref)
print("%s with a strong way back: %d bytes wait, gc.collect() finds %d objects" % ((TARGET,) + strong))
print("with a weak one:%s %d bytes wait, gc.collect() finds %d" % ((" " * len(TARGET),) + weak))
sys.exit(0 if strong[1] > 10 * weak[1] and strong[0] > 2 * weak[0] else 1)
