"""A template: break the cycle where it is closed, and collect where nobody waits."""
import gc
import weakref

TARGET = "module.Node"  # set


class Node:
    """refers to its parent without keeping it"""

    __slots__ = ("_parent", "children", "__weakref__")

    def __init__(self, parent=None):
        self._parent = weakref.ref(parent) if parent is not None else None
        self.children = []

    @property
    def parent(self):
        return self._parent() if self._parent is not None else None


def after_batch():
    """where nobody waits: after a job, between requests, from an idle hook"""
    return gc.collect()


# An exception that is kept keeps its frames, and they keep it: `del error`, or error.with_traceback(None).
if __name__ == "__main__":
    gc.collect()
    gc.disable()
    for _ in range(100):
        root = Node()
        root.children.append(Node(root))
    del root
    found = gc.collect()
    assert found == 0, found
    print("like %s with a weak way back: gc.collect() finds %d" % (TARGET, found))
