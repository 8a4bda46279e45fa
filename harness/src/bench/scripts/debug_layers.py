def turn(setting):
    import tracemalloc
    random = Random(setting["seed"])
    n = setting["replacements"]
    header = sys.getsizeof(b"")
    sizes = [64 + random.below(449) - header for _ in range(1024)]
    places = [None] * 10000
    start = clock()
    for i in range(n):
        places[i % 10000] = b"x" * sizes[i % 1024]
    end = clock()
    asked = traced = None
    if tracemalloc.is_tracing():
        held = [None] * 1000
        lengths = [sizes[i] for i in range(1000)]
        made = [b"x" * length for length in lengths]

        def traced_by(make):
            before = tracemalloc.get_traced_memory()[0]
            i = 0
            for length in lengths:
                held[i] = make(i, length)
                i += 1
            return tracemalloc.get_traced_memory()[0] - before

        # The same loop over objects that are there already: what its own numbers take.
        own = traced_by(lambda i, length: made[i])
        own = traced_by(lambda i, length: made[i])
        traced = traced_by(lambda i, length: b"x" * length) - own
        asked = sum(lengths) + 1000 * header
    return {
        "times": [["replacement", (end - start) / float(n)]],
        "counts": [["asked for, bytes", asked], ["traced, bytes", traced]],
    }
