# A class that was used before, as in a program that runs: its keys have settled.
WARM = 60


def classes(count):
    names = ["a%d" % i for i in range(count)]
    body = "\n".join("        self.%s = 0" % name for name in names)
    space = {}
    exec("class C(object):\n    def __init__(self):\n%s\n" % body, space)
    exec("class S(object):\n    __slots__ = %r\n    def __init__(self):\n%s\n" % (names, body), space)
    return [("dict", space["C"]), ("slots", space["S"])]


def cost(cls, n):
    keep = [cls() for _ in range(WARM)]
    held = [None] * n
    try:
        import tracemalloc
    except ImportError:
        one = cls()
        return sys.getsizeof(one) + sys.getsizeof(getattr(one, "__dict__", None) or 0) \
            - (0 if hasattr(one, "__dict__") else sys.getsizeof(0))
    gc.collect()
    gc.disable()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for i in range(n):
        held[i] = cls()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    gc.enable()
    del keep
    # The loop's own number and what the interpreter keeps for itself are far less than a byte each.
    return int(round((after - before) / float(n)))


def turn(setting):
    n = min(setting["instances"], 5000)
    counts, times = [], []
    for count in setting["attributes"]:
        for kind, cls in classes(count):
            counts.append(["%s of %d, bytes" % (kind, count), cost(cls, n)])
            start = clock()
            held = [cls() for _ in range(n)]
            times.append(["%s of %d" % (kind, count), (clock() - start) / float(n)])
            del held
    return {"counts": counts, "times": times}
