def turn(setting):
    random = Random(setting["seed"])
    header = sys.getsizeof(b"")
    sizes = [setting["sizes"][random.below(8)] - header for _ in range(setting["blocks"])]
    survivor_in = setting["survivor_in"]
    doomed = [i for i in range(len(sizes)) if survivor_in == 0 or random.below(survivor_in)]
    gc.collect()
    start = clock()
    held = [b"x" * size for size in sizes]
    built = clock()
    arenas_built = arenas()
    before = clock()
    for i in doomed:
        held[i] = None
    after = clock()
    return {
        "times": [["alloc", (built - start) / len(sizes)], ["free", (after - before) / max(1, len(doomed))]],
        "numbers": [["arenas, built", arenas_built], ["arenas, deleted", arenas()]],
    }
