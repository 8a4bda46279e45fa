class Node(object):
    __slots__ = ("first", "second", "next")


def build(count):
    """A binary tree, level by level, in which each node also refers to the next one."""
    nodes = [None] * (2 * count + 2)
    for i in range(count - 1, -1, -1):
        node = Node()
        node.first = nodes[2 * i + 1]
        node.second = nodes[2 * i + 2]
        node.next = nodes[i + 1]
        nodes[i] = node
    return nodes[0]


def make_young(count, root):
    fresh = [Node() for _ in range(count)]
    for node in fresh:
        node.first = root
    return fresh


def paused(generation):
    start = clock()
    found = gc.collect(generation)
    return clock() - start, found


def full(passes):
    """The shortest pause of several passes that find nothing."""
    pauses = [paused(2) for _ in range(passes)]
    return min(pauses)[0], sum(found for _, found in pauses)


def turn(setting):
    gc.disable()
    gc.collect()
    pauses = [["full pause, nothing built", full(setting["full_passes"])[0]]]
    counts = []
    for size in setting["sizes"]:
        # One heap at a time: the collector of the process is the collector of all.
        root = build(size)
        gc.collect()
        pause, found = full(setting["full_passes"])
        pauses.append(["full pause, %d live" % size, pause])
        young = []
        for _ in range(setting["young_passes"]):
            fresh = make_young(setting["young"], root)
            pause, garbage = paused(0)
            young.append(pause)
            found += garbage
        pauses.append(["young pause, %d live" % size, sorted(young)[len(young) // 2]])
        if hasattr(gc, "freeze"):
            gc.collect()
            gc.freeze()
            fresh = make_young(setting["young"], root)
            pause, garbage = paused(2)
            pauses.append(["frozen pause, %d live" % size, pause])
            found += garbage
            gc.unfreeze()
        counts.append(["found, %d live" % size, found])
        fresh = root = None
    return {"counts": counts, "pauses": pauses}
