import weakref


class Node(object):
    __slots__ = ("parent", "children", "__weakref__")


def build(depth, fan_out, links, parent):
    node = Node()
    node.parent = parent
    node.children = None
    if depth > 0:
        above = node if links == "strong" else weakref.ref(node) if links == "weak" else None
        node.children = [build(depth - 1, fan_out, links, above) for _ in range(fan_out)]
    return node


def live():
    return sum(1 for thing in gc.get_objects() if type(thing) is Node)


def turn(setting):
    times = []
    counts = []
    # No collection starts by itself, so that what a collection finds is counted in one place.
    gc.disable()
    for links in setting["links"]:
        said = "parents %s: " % links
        build_ns = nodes = by_count = by_collector = found = 0
        for depth, fan_out, trees in setting["shapes"]:
            gc.collect()
            start = clock()
            roots = [build(depth, fan_out, links, None) for _ in range(trees)]
            build_ns += clock() - start
            made = live()
            start = clock()
            del roots
            dropped = clock() - start
            left = live()
            start = clock()
            found += gc.collect()
            collected = clock() - start
            nodes += made
            by_count += made - left
            by_collector += left - live()
            times.append([said + "die, %d deep by %d" % (depth, fan_out), (dropped + collected) / float(made)])
        times.append([said + "build", build_ns / float(nodes)])
        counts.append([said + "died by count", by_count])
        counts.append([said + "died by the collector", by_collector])
        counts.append([said + "found", found])
    return {"times": times, "counts": counts}
