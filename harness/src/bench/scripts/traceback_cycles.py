import weakref


class Payload(object):
    __slots__ = ("data", "__weakref__")

    def __init__(self, size):
        self.data = bytearray(size)


def caught():
    """What a handler binds: the exception, or in 2.7, where it knows no traceback, the triple with one."""
    return sys.exc_info() if sys.version_info < (3,) else sys.exc_info()[1]


def keeps(size, seen):
    payload = Payload(size)
    seen.append(weakref.ref(payload))
    try:
        raise ValueError("planted")
    except ValueError:
        error = caught()
    return error is not None


def clears(size, seen):
    payload = Payload(size)
    seen.append(weakref.ref(payload))
    try:
        raise ValueError("planted")
    except ValueError:
        error = caught()
    try:
        return error is not None
    finally:
        error = None


def alive(seen):
    return sum(1 for payload in seen if payload() is not None)


def turn(setting):
    times = []
    counts = []
    errors = setting["errors"]
    for name, handle in (("kept", keeps), ("cleared", clears)):
        gc.enable()
        gc.collect()
        gc.disable()
        seen = []
        start = clock()
        for _ in range(errors):
            handle(setting["payload_bytes"], seen)
        handled = clock()
        counts.append(["payloads alive, %s" % name, alive(seen)])
        before = clock()
        found = gc.collect()
        after = clock()
        times.append(["raise and handle, %s" % name, (handled - start) / errors])
        times.append(["collect, %s" % name, (after - before) / errors])
        counts.append(["found, %s" % name, found])
        counts.append(["payloads alive after the collection, %s" % name, alive(seen)])
    # What the thresholds of this version let pile up.
    gc.enable()
    most = 0
    seen = []
    for _ in range(errors):
        keeps(setting["payload_bytes"], seen)
        if not seen[0]() or len(seen) % 64 == 0:
            seen = [payload for payload in seen if payload() is not None]
        most = max(most, len(seen))
    return {"times": times, "counts": counts, "numbers": [["most payloads alive, collector on", most]]}
