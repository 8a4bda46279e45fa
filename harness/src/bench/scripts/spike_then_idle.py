def turn(setting):
    header = sys.getsizeof(b"")
    random = Random(setting["seed"])
    sizes = [max(0, 48 + random.below(465) - header) for _ in range(1024)]
    mean = sum(sizes) // len(sizes) + header
    base = [b"b" * (sizes[i % 1024]) for i in range(setting["base"] // mean)]
    count, every = setting["spike"] // mean, setting["mixed_in"] // mean
    gc.collect()
    rss_before, before = smaps("Anonymous"), arenas()
    start = clock()
    spike = [None] * count
    for i in range(count):
        spike[i] = b"x" * sizes[i % 1024]
        if every and i % every == 0:
            base[(i // every) % len(base)] = b"b" * sizes[i % 1024]
    made = clock()
    rss_spike, most = smaps("Anonymous"), arenas()
    freeing = clock()
    del spike
    freed = clock()
    gc.collect()
    return {
        "times": [["alloc", (made - start) / count], ["free", (freed - freeing) / count]],
        "bytes": [["resident, before", rss_before], ["resident, spike", rss_spike],
                  ["resident, freed", smaps("Anonymous")]],
        "numbers": [["arenas, before", before], ["arenas, spike", most], ["arenas, freed", arenas()]],
    }
