import os


class Node(object):
    __slots__ = ("first", "second", "next")


def build(count):
    """A ring: nothing in it dies but by a collection."""
    nodes = [Node() for _ in range(count)]
    for i, node in enumerate(nodes):
        node.first = node.second = None
        node.next = nodes[i - 1]
    return nodes


def identifiers(count):
    """Names of attributes that a compiled program uses: interned, and immortal where there is such a thing."""
    return compile("\n".join("x.identifier_%06d" % i for i in range(count)), "names", "exec").co_names


def read(things):
    for _ in things:
        pass


def private_beside_fresh():
    """Bytes written to that are the process's alone, less its anonymous memory: a copied page adds to the first, a fresh one to both."""
    private, anonymous = smaps("Private_Dirty"), smaps("Anonymous")
    return None if private is None or anonymous is None else private - anonymous


def in_child(act):
    """Bytes of the parent's pages that a forked child copied (None where the system does not tell), and how long it took."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            before = private_beside_fresh()
            start = clock()
            act()
            took = clock() - start
            after = private_beside_fresh()
            copied = None if after is None else max(0, after - before)
            os.write(writing, json.dumps([copied, took]).encode("ascii"))
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading) as answers:
        answer = answers.read()
    os.waitpid(child, 0)
    return json.loads(answer)


heap = {}


def turn(setting):
    count = setting["objects"]
    gc.disable()
    if not heap:
        heap["nodes"] = build(count)
        heap["names"] = identifiers(count // 5)
        gc.collect()
    nodes, names = heap["nodes"], heap["names"]
    made = {
        "counts": in_child(lambda: read(nodes)),
        "counts, immortal": in_child(lambda: read(names)),
        "collection": in_child(gc.collect),
    }
    if hasattr(gc, "freeze"):
        gc.freeze()
        made["collection, frozen"] = in_child(gc.collect)
        gc.unfreeze()
    return {
        "times": [[what, took / float(len(names) if "immortal" in what else count)] for what, (_, took) in sorted(made.items())],
        "bytes": [["copied, " + what, copied] for what, (copied, _) in sorted(made.items())],
        "counts": [
            ["bytes of the objects", sum(sys.getsizeof(node) for node in nodes)],
            ["bytes of the identifiers", sum(sys.getsizeof(name) for name in names)],
        ],
    }
