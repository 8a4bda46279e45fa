class Item(object):
    def __init__(self, key, size):
        self.key = key
        self.size = size
        self.text = "x" * size


def turn(setting):
    random = Random(setting["seed"])
    leaked = []
    sessions = [None] * setting["sessions"]
    sizes = [random.below(8) * random.below(8) * 10 for _ in range(1024)]
    requests, objects, leak_in = setting["requests"] // 10, setting["objects"], setting["leak_in"]

    def serve(first, last):
        for request in range(first, last):
            body = bytearray(4096)
            items = [Item(i, sizes[(request + i) % 1024]) for i in range(objects // 4)]
            table = dict((item.key, item.text) for item in items)
            sessions[request % len(sessions)] = [len(body), len(table)]
            if leak_in and request % leak_in == 0:
                leaked.append(items[0])

    blocks = getattr(sys, "getallocatedblocks", lambda: None)
    tenth = max(requests // 10, len(sessions))
    serve(0, tenth)
    early = blocks()
    start = clock()
    serve(tenth, requests)
    end = clock()
    return {
        "times": [["request", (end - start) / max(1, requests - tenth)]],
        "numbers": [["blocks, after a tenth", early], ["blocks, at the end", blocks()]],
    }
