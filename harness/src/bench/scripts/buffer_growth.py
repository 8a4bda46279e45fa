def turn(setting):
    n = setting["buffers"]
    header = sys.getsizeof(b"")

    def in_pools():
        stats = debugmallocstats()
        return None if stats is None else stats.get("# bytes in allocated blocks")

    def pooled(size):
        held = [None] * n
        content = size - header
        gc.collect()
        before = in_pools()
        for i in range(n):
            held[i] = b"x" * content
        after = in_pools()
        return None if before is None else after - before

    buffers = [bytearray() for _ in range(n)]
    chunk = b"x" * 16
    steps = setting["grown"] // 64 // 16
    start = clock()
    for _ in range(steps):
        for buffer in buffers:
            buffer += chunk
    end = clock()
    return {
        "times": [["append", (end - start) / max(1, n * steps)]],
        "bytes": [["in pools for objects of 512 bytes", pooled(512)], ["in pools for objects of 513 bytes", pooled(513)]],
    }
