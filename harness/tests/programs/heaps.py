"""Programs for the dumper: garbage and living objects of every kind that CPython treats in its own way, and some that must not be touched.
Run with a folder: each program leaves its objects and a dump, and prints its name, what the dump says, and dead generators."""
import collections
import functools
import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
import types
import weakref

FOLDER, SECRET = sys.argv[1], "tulip-mania"
KEPT = []


class Node:
    def __init__(self, number):
        self.number, self.me, self.other = number, self, None


class Slotted:
    __slots__ = ("first", "second", "__weakref__")


class Derived(Slotted):
    __slots__ = ("third",)


class Open(Slotted):
    pass


class Dict(dict):
    pass


class List(list):
    pass


class Int(int):
    pass


def cycles():
    for number in range(300):
        Node(number)
    KEPT.extend(Node(number) for number in range(300))


def generators():
    def suspended():
        me = yield
        yield me

    def pending(me):
        yield me

    watched = []
    for _ in range(100):
        generator = suspended()
        next(generator)
        generator.send(generator)
        watched.append(weakref.ref(generator))
    living = [pending(number) for number in range(20)] + [suspended() for _ in range(20)]
    for generator in living[:30]:
        next(generator)
    KEPT.extend(living)
    return watched


def frames():
    def fails(keep):
        frame = sys._getframe()
        local = [frame]
        try:
            return 1 / 0
        except ZeroDivisionError as error:
            kept = error
            if keep:
                KEPT.append(local)
            return kept

    for number in range(100):
        fails(number % 5 == 0)


def instances():
    for number in range(200):
        slotted = Derived()
        slotted.first, slotted.second, slotted.third = slotted, [slotted], {1: slotted}
        both = Open()
        both.first, both.extra, both.more = both, both, [both]
        mapping = Dict()
        mapping["self"], mapping.attribute = mapping, mapping
        sequence = List()
        sequence.append(sequence)
        sequence.attribute = sequence
        integer = Int(number)
        integer.attribute = integer
        materialised = Node(number)
        vars(materialised)
        if number % 3 == 0:
            KEPT.extend([slotted, both, materialised])

    class Local:
        pass

    local = Local()
    local.kind = Local
    KEPT.extend([types.SimpleNamespace(a=1), collections.OrderedDict(a=1), collections.namedtuple("Pair", "a b")(1, 2)])


def weak():
    for number in range(100):
        node = Node(number)
        node.watcher = weakref.ref(node, lambda _: None)
        node.proxy = weakref.proxy(node)
        node.values = weakref.WeakValueDictionary({1: node})
        if number % 4 == 0:
            KEPT.append(node.watcher)


def modules():
    for number in range(20):
        module = types.ModuleType("made%d" % number)
        module.me = module
        exec("def first(): return second\nsecond = first", module.__dict__)
    import decimal
    import unittest.mock
    import xml.dom.minidom
    KEPT.extend([decimal, unittest.mock, xml.dom.minidom])


def partials():
    for number in range(50):
        partial = functools.partial(print, number)
        partial.me = partial
        cached = functools.lru_cache(maxsize=4)(lambda value: value)
        cached.me = cached
        cached(cached)


def untouchable():
    class Touchy:
        @property
        def __class__(self):
            raise AssertionError("asked for its class")

        def __getattribute__(self, name):
            raise AssertionError("asked for " + name)

        def __sizeof__(self):
            raise AssertionError("asked for its size")

        def __hash__(self):
            raise AssertionError("hashed")

    class Meta(type):
        def __getattribute__(cls, name):
            raise AssertionError("class asked for " + name)

    class Lazy(types.ModuleType):
        def __getattribute__(self, name):
            raise AssertionError("module asked for " + name)

    class Odd:
        __slots__ = iter(["late"])

    class Name(str):
        def __str__(self):
            raise AssertionError("asked for its text")

    def odd_function():
        pass

    odd_function.__module__ = Touchy()
    Odd.__qualname__ = odd_function.__qualname__ = Name("Odd")
    KEPT.append(odd_function)
    odd_module = types.ModuleType("odd")
    del odd_module.__dict__["__name__"]
    odd_module.__getattr__ = lambda name: 1 / 0
    KEPT.extend([Touchy(), Meta("Made", (), {}), Meta("Made", (), {})(), Lazy("lazy"), Odd(), odd_module])


def private():
    KEPT.extend([{SECRET: SECRET + str(number), number: SECRET.encode()} for number in range(3)])
    node = Node(SECRET)
    setattr(node, SECRET, 1)
    KEPT.append(node)


def descriptors():
    return sorted(os.listdir("/proc/self/fd"))


def forked(helper):
    """from a child, with threads whose locals have a finalizer; then by signal, by socket, over WSGI"""
    local, done, finalized = threading.local(), threading.Event(), []

    class Connection:
        def __del__(self):
            open(os.path.join(FOLDER, "finalized-%d" % os.getpid()), "w").close()
            finalized.append(os.getpid())

    def serve():
        local.connection = Connection()
        done.wait()

    threads = [threading.Thread(target=serve) for _ in range(3)]
    for thread in threads:
        thread.start()
    while threading.active_count() < 4:
        time.sleep(0.01)
    before, path = descriptors(), os.path.join(FOLDER, "forked.heap.jsonl.gz")
    told = helper.dump_forked(path, wait=True)
    assert descriptors() == before and "error" not in told, told
    assert told["pause_seconds"] < 0.5, told
    refused = helper.dump_forked(os.path.join(FOLDER, "no", "folder"), wait=True)
    assert "error" in refused, refused
    assert helper.install(folder=FOLDER) == signal.SIG_DFL
    os.kill(os.getpid(), signal.SIGUSR2)
    by_signal = os.path.join(FOLDER, "cpymem-%d-1.heap.jsonl.gz" % os.getpid())
    started, answer = [], None
    answer = helper.wsgi({}, lambda *said: started.append(said))
    with open(os.path.join(FOLDER, "wsgi.heap.jsonl.gz"), "wb") as copy:
        copy.write(b"".join(answer))
    answer.close()
    assert started[0][0] == "200 OK"
    import socket
    path = os.path.join(FOLDER, "socket")
    listener = helper.serve(path)
    assert os.stat(path).st_mode & 0o777 == 0o600
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        said = b"".join(iter(lambda: client.recv(65536), b""))
    head, _, body = said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.0 200"), head
    with open(os.path.join(FOLDER, "socket.heap.jsonl.gz"), "wb") as copy:
        copy.write(body)
    for _ in range(500):
        if os.path.exists(by_signal):
            break
        time.sleep(0.01)
    os.rename(by_signal, os.path.join(FOLDER, "signal.heap.jsonl.gz"))
    try:
        raise AssertionError("a child is left: %s" % (os.waitpid(-1, os.WNOHANG),))
    except ChildProcessError:
        pass
    assert finalized == [] and not [name for name in os.listdir(FOLDER) if name.startswith("finalized")]
    done.set()
    for thread in threads:
        thread.join()
    assert len(finalized) == 3
    return listener


def main():
    import cpymem_dump as helper
    programs = (cycles, generators, frames, instances, weak, modules, partials, untouchable, private)
    for program in programs:
        gc.collect()
        gc.disable()
        watched = program() or []
        before, fresh = descriptors(), Node(0)
        told = helper.dump(os.path.join(FOLDER, program.__name__ + ".heap.jsonl.gz"), hashes=program is private, verify=True)
        assert descriptors() == before and not gc.isenabled()
        assert not any(type(x) is dict for x in gc.get_referents(fresh)) or sys.version_info < (3, 11), "a __dict__ was made"
        dead = sum(watcher() is None for watcher in watched)
        print(json.dumps([program.__name__, told["objects"], told["gc_collected_after"], dead]))
    gc.enable()
    forked(helper)
    try:
        helper.dump(os.path.join(FOLDER, "no", "folder"))
    except OSError:
        assert gc.isenabled()
    print("complete")


if __name__ == "__main__":
    main()
