def turn(setting):
    n = setting["buffers"]
    blocks = getattr(sys, "getallocatedblocks", None)
    header = sys.getsizeof(b"")

    def pooled(size):
        if blocks is None:
            return None
        held = [None] * n
        content = size - header
        before = blocks()
        for i in range(n):
            held[i] = b"x" * content
        after = blocks()
        return after - before

    pooled(512)
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
        "counts": [
            ["blocks for objects of 512 bytes", pooled(512)],
            ["blocks for objects of 513 bytes", pooled(513)],
        ],
    }
