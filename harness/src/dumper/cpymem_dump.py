#!/usr/bin/env python3
"""cpymem_dump writes the object graph of the running interpreter as JSON lines (PYHEAP 2), for `cpymem explain`.

One file, standard library only, CPython 3.8 and newer.

    import cpymem_dump
    cpymem_dump.dump("a.heap.jsonl.gz")           here and now; about 4 us an object
    cpymem_dump.dump_forked("a.heap.jsonl.gz")    from a forked child: the process pauses for milliseconds
    cpymem_dump.install()                         from then on `kill -USR2 PID` writes $TMPDIR/cpymem-PID-1.heap.jsonl.gz, -2, ...
    cpymem_dump.serve("/run/app/heap.sock")       curl --unix-socket /run/app/heap.sock http://heap/ -o a.heap.jsonl.gz
    app.mount("/debug/heap", cpymem_dump.wsgi)    the same as a WSGI application; guard it as you guard a debugger

    python cpymem_dump.py OUT MODULE[:FUNCTION] [JSON of keyword arguments]     import, call, dump

No user data is written: types, sizes, references, names of modules, classes, functions and attributes. `hashes=True` adds to each str
and bytes a keyed hash (the key is random, for this dump, and never stored), so that equal ones can be counted and none can be read.

Nothing in the process is changed. No code of the program runs: types are asked through the slots of `type`, never through
`o.__class__` or an attribute of `o`; a `__dict__` that does not exist yet is not made. The collector is off while rows are written
and then as it was. `verify=True` ends the dump with gc.collect() and writes what it found: a test of the dump, and not for a live
service, because finalizers run.

FORM: a header; then one array or object a line:
  [id, type, size, flags, refcount, address, [referents...], label]   ids from 0 without gaps; type -1: the dumper's own, to be skipped
      size      sys.getsizeof; not the attribute values of instances of 3.11 and newer
      flags     1 tracked by the collector | 2 youngest generation | 4 immortal | 8 type | 16 module | 32 function | 64 frame, generator, coroutine
      refcount  without the dumper's own references; -1 if immortal
      label     name of a type, module or function; hash of a str or bytes
  {"process": {"smaps": [[start, end, rss_kib, anonymous_kib, name]...], "mallocstats": text, "malloc": {...}}}
  {"names": {"id", "keys"}}     the dict of a module, a class, a function's globals or an instance: the name of each referent; null: none, or no identifier
  {"type": {"id", "name", "basicsize", "itemsize", "gc", "has_dict", "weakref", "heap", "kind", "slots"}}
  {"attrs": {"type", "sampled", "names": [[name, count]...], "order": [...]}}   of a few instances; order: names of the values of instances without dict
  {"end": {"objects", "bytes", "edges", "gc_collected_after", "seconds"}}
"""
import gc
import json
import os
import signal
import sys
import time
import types
import warnings
import zlib
from json.encoder import encode_basestring_ascii as quoted

try:
    from _blake2 import blake2b                                             # hashlib would load OpenSSL: 3 MiB
except ImportError:
    from hashlib import blake2b

# Everything is loaded and looked up here, while this file is imported: what is made during a dump would be in the dump.
_HEADER = {
    "form": "PYHEAP 2", "python": sys.version.split()[0], "implementation": {"cpython": "CPython"}.get(sys.implementation.name, sys.implementation.name),
    "machine": os.uname().machine if hasattr(os, "uname") else "", "free_threaded": "free-threading" in sys.version, "dumper": "cpymem 1",
    "inline_values": "outside size" if sys.version_info >= (3, 11) else "none",
}
_ASK = type.__dict__
_flags, _basicsize, _itemsize = _ASK["__flags__"].__get__, _ASK["__basicsize__"].__get__, _ASK["__itemsize__"].__get__
_dictoffset, _weakoffset = _ASK["__dictoffset__"].__get__, _ASK["__weakrefoffset__"].__get__
_dict, _mro = _ASK["__dict__"].__get__, _ASK["__mro__"].__get__
_module, _qualname = _ASK["__module__"].__get__, _ASK["__qualname__"].__get__
_module_dict = types.ModuleType.__dict__["__dict__"].__get__
_FRAMES = (types.FrameType, types.GeneratorType, types.CoroutineType, types.AsyncGeneratorType)
_PREHEADER = sys.version_info >= (3, 11)
_HEAP_TYPE, _GC, _IMMORTAL = 1 << 9, 1 << 14, 1 << 30
_MANAGED, _INLINE = 1 << 4, 1 << 2
_ALL_SIGNALS = signal.valid_signals()
_written = 0
# The forked child runs one thread and takes no lock; nobody has to be told of it on standard error.
warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning, __name__.replace(".", "[.]"))

try:
    import ctypes

    class _Mallinfo2(ctypes.Structure):
        _fields_ = [(name, ctypes.c_size_t) for name in "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()]

    _mallinfo2 = ctypes.CDLL(None).mallinfo2
    _mallinfo2.restype = _Mallinfo2
except (ImportError, OSError, AttributeError, TypeError):
    _mallinfo2 = None


class _Probe:
    """what the layout is tried on"""


class _Memory:
    """Reads words of this process's objects without touching them. A read that fails gives None; a layout that is not as expected
    on instances whose attributes are known is not used at all."""

    __slots__ = ("file", "keys_at", "version")

    def __init__(self):
        self.version, self.file, self.keys_at = sys.version_info[:2], None, 0
        if sys.implementation.name != "cpython" or self.version < (3, 8) or sys.maxsize < 1 << 32 or _HEADER["free_threaded"]:
            return
        try:
            self.file = os.open("/proc/self/mem", os.O_RDONLY)
        except OSError:
            return
        words = self.words(id(_Probe), _basicsize(type) // 8) or ()
        name = id(_qualname(_Probe))
        self.keys_at = max([k + 1 for k, word in enumerate(words) if word == name] or [0]) * 8     # ht_cached_keys stands behind ht_qualname
        if len(words) < 60 or words[1] != id(type) or not self.works():
            self.close()

    def works(self):
        without, filled = _Probe(), _Probe()
        without.alpha, without.beta = filled.alpha, filled.beta = 1, 2
        known = vars(filled)
        if self.dict_of(id(filled), _Probe) != id(known):
            return False
        if self.version < (3, 11):
            return self.dict_of(id(without), _Probe) == id(without.__dict__)
        order = self.order(_Probe)
        return self.dict_of(id(without), _Probe) == 0 and order == ["alpha", "beta"] and self.present(id(without), _Probe, 2) == [True, True]

    def close(self):
        if self.file is not None:
            os.close(self.file)
            self.file = None

    def words(self, address, count):
        try:
            data = os.pread(self.file, 8 * count, address)
        except (OSError, OverflowError, ValueError):
            return None
        return memoryview(data).cast("Q").tolist() if len(data) == 8 * count else None

    def dict_of(self, address, kind):
        """address of the __dict__ of the instance at `address`; 0 if it has none yet"""
        if self.version >= (3, 11) and _flags(kind) & _MANAGED:            # in front of the object and its two words of the collector
            words = self.words(address - 24, 1)
            return words[0] if words and not words[0] & 1 else 0
        offset = _dictoffset(kind)
        if offset < 0:                                                      # behind the items of a variable object
            words = self.words(address + 16, 1)
            if not words or self.version >= (3, 12) and _flags(kind) & 1 << 24:
                return 0                                                    # an int keeps its length elsewhere
            items = words[0] if words[0] < 1 << 63 else (1 << 64) - words[0]
            offset += (_basicsize(kind) + items * _itemsize(kind) + 7) & ~7
        words = self.words(address + offset, 1) if offset > 0 else None
        return words[0] if words else 0

    def order(self, kind):
        """names in the shared keys of a class, in order (3.11 and newer); None if it has none"""
        flags = _flags(kind)
        if self.version < (3, 11) or not flags & _HEAP_TYPE or not flags & _MANAGED or self.version >= (3, 13) and not flags & _INLINE:
            return None
        words = self.words(id(kind) + self.keys_at - 8, 2)
        if not words or words[0] != id(_qualname(kind)) or not words[1]:
            return None
        keys = self.words(words[1], 4)                                      # count, sizes and kind, usable, entries
        if not keys or keys[1] >> 16 & 255 != 2 or keys[3] > 30:            # 2: split; shared keys are at most 30
            return None
        entries = self.words(words[1] + 32 + (1 << (keys[1] >> 8 & 255)), 2 * keys[3]) if keys[3] else []
        return None if entries is None else [self.text(key) for key in entries[::2]]

    def text(self, address):
        """the identifier at `address`, if it is one in ASCII"""
        words = self.words(address, 5)
        if not words or words[1] != id(str) or words[4] >> 5 & 3 != 3 or words[2] > 255:
            return None
        try:
            name = os.pread(self.file, words[2], address + (40 if self.version >= (3, 12) else 48)).decode("ascii")
        except (OSError, ValueError):
            return None
        return name if name.isidentifier() else None

    def present(self, address, kind, count):
        """which of `count` shared attributes the instance has; None if its values lie elsewhere"""
        if self.version >= (3, 13):
            words = self.words(address + _basicsize(kind), count + 1) if _flags(kind) & _INLINE else None
            return [word != 0 for word in words[1:]] if words and words[0] >> 24 & 255 == 1 and words[0] & 255 >= count else None
        words = self.words(address - 32, 2)
        if not words:
            return None
        values = words[0] if self.version == (3, 11) else words[1] + 1 if words[1] & 1 else 0
        words = self.words(values, count) if values else None
        return [word != 0 for word in words] if words else None


class _Out:
    """Where a dump goes: a file, which gets its name when it is complete, or a file descriptor. Not a GzipFile: that is a cycle."""

    __slots__ = ("path", "file", "zip")

    def __init__(self, path):
        self.path, packed = path, True
        if isinstance(path, int):
            self.file = path
        else:
            self.path = path = os.fspath(path)
            packed = path.endswith(".gz")
            self.file = os.open(path + ".part", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self.zip = zlib.compressobj(4, zlib.DEFLATED, 31) if packed else None

    def write(self, text):
        data = text.encode("ascii")
        self.send(self.zip.compress(data) if self.zip else data)

    def send(self, data):
        while data:
            data = data[os.write(self.file, data):]

    def close(self):
        if self.zip:
            self.send(self.zip.flush())
        if self.path is not self.file:
            os.close(self.file)
            os.replace(self.path + ".part", self.path)


def _line(key, value):
    return json.dumps({key: value}, separators=(",", ":")) + "\n"


def _process(pid):
    """The process's mappings and allocators. A text, so that no tracked object is left."""
    known = {}
    for who in (pid, "self"):                                               # the parent may not let its child look
        try:
            with open("/proc/%s/smaps" % who) as lines:
                known["smaps"] = _mappings(lines)
            break
        except OSError:
            pass
    try:
        text = os.memfd_create("mallocstats")
        saved = os.dup(2)
        try:
            os.dup2(text, 2)
            sys._debugmallocstats()
        finally:
            os.dup2(saved, 2)
            os.close(saved)
        known["mallocstats"] = os.pread(text, 1 << 20, 0).decode("ascii", "replace")
        os.close(text)
    except (OSError, AttributeError):
        pass
    if _mallinfo2:
        info = _mallinfo2()
        known["malloc"] = {"held": info.arena + info.hblkhd, "used": info.uordblks + info.hblkhd, "mapped": info.hblkhd, "top": info.keepcost}
    return _line("process", known)


def _mappings(lines):
    rows, row = [], None
    for line in lines:
        words = line.split()
        if words[0] == "Rss:":
            row[2] = int(words[1])
        elif words[0] == "Anonymous:":
            row[3] = int(words[1])
        elif not words[0].endswith(":"):
            start, end = words[0].split("-")
            row = [int(start, 16), int(end, 16), 0, 0, os.path.basename(words[5]) if len(words) > 5 else ""]
            rows.append(row)
    return [row for row in rows if row[2]]


def _identifier(key):
    return key if type(key) is str and key.isidentifier() else None


def _keys(d, own):
    """The name of each referent of a dict. A dict of str keys visits its values, in the order of its table, which need not be the
    order of iteration; any other dict visits value, key, value, key."""
    found = gc.get_referents(d)
    if len(found) == 2 * len(d):
        names = [name for key in d for name in (_identifier(key), None)]
    else:
        by_value = {}
        for key, value in d.items():
            by_value.setdefault(id(value), []).append(_identifier(key))
        for keys in by_value.values():
            keys.reverse()
        names = [by_value[id(value)].pop() if by_value.get(id(value)) else None for value in found]
    return [name for name, value in zip(names, found) if id(value) not in own]


def _builtin_sizeof(kind):
    """sys.getsizeof runs a __sizeof__ that is written in Python; this tells whether the class has none"""
    for base in _mro(kind) or ():
        found = _dict(base).get("__sizeof__")
        if found is not None:
            return type(found) is types.MethodDescriptorType
    return True                                                             # a static type that is not ready yet


def _plain_size(o, flags):
    size = object.__sizeof__(o) + (16 if flags & _GC else 0)
    return size + (16 if _PREHEADER and flags & (_MANAGED | 1 << 3) else 0)


def _path(module, name):
    """two names as one; only real strings, because formatting another object would call it"""
    name = name if type(name) is str else "?"
    return module + "." + name if type(module) is str else name


def _type_name(kind):
    return _path(_module(kind), _qualname(kind))


def _describe(number, kind):
    slots = []
    for base in _mro(kind) or ():
        listed = _dict(base).get("__slots__")
        if type(listed) is str:
            listed = (listed,)
        if type(listed) in (tuple, list, dict, set, frozenset):
            slots += [name for name in listed if type(name) is str and name not in ("__dict__", "__weakref__")]
    heap, has_dict = bool(_flags(kind) & _HEAP_TYPE), bool(_dictoffset(kind))
    what = "slots+dict" if slots and has_dict else "slots" if slots else "builtin" if not heap else "dict" if has_dict else "plain"
    return _line("type", {
        "id": number, "name": _type_name(kind), "basicsize": _basicsize(kind), "itemsize": _itemsize(kind), "gc": bool(_flags(kind) & _GC),
        "has_dict": has_dict, "weakref": bool(_weakoffset(kind)), "heap": heap, "kind": what, "slots": slots})


def _label(o, flags):
    if flags & 8:
        return _type_name(o)
    if flags & 16:
        name = _module_dict(o).get("__name__")                              # not o.__name__: a lazy module would load itself
        return name if type(name) is str else None
    return _path(o.__module__, o.__qualname__)


def dump(path, hashes=False, verify=False, sample=6, note="", addresses=True, _found=None, _pid="self"):
    """Writes a dump to a path (compressed if it ends in .gz) or, compressed, to a file descriptor, and tells how much it wrote."""
    start, was_enabled = time.time(), gc.isenabled()
    gc.disable()
    try:
        return _write(path, hashes, verify, sample, note, addresses, _found, _pid, start, was_enabled)
    finally:
        if was_enabled:
            gc.enable()


def _write(path, hashes, verify, sample, note, addresses, found, pid, start, was_enabled):
    process, memory, counts = _process(pid), _Memory(), gc.get_count()
    out, key = _Out(path), os.urandom(16)
    young = set(map(id, gc.get_objects(generation=0)))
    objects = gc.get_objects() if found is None else found
    tracked = len(objects)
    index = {id(o): i for i, o in enumerate(objects)}
    kinds, facts, owned, samples, rows = [], {}, set(), [], []              # facts: by the address of a type
    own = {id(young), id(objects), id(index), id(kinds), id(facts), id(owned), id(samples), id(rows), id(memory), id(out), id(counts)}
    own.add(id(own))
    if sys.version_info < (3, 11):
        frame = sys._getframe()
        while frame is not None and frame.f_globals is globals():
            own.add(id(frame))
            frame = frame.f_back
        del frame
    for address in own:
        index.pop(address, None)
    header = dict(
        _HEADER, pid=os.getpid() if pid == "self" else pid, argv0=os.path.basename(sys.argv[0]) if getattr(sys, "argv", None) else "", note=note, time=start, tracked=tracked,
        gc_enabled=was_enabled, gc_threshold=gc.get_threshold(), gc_count=counts, gc_stats=gc.get_stats(), frozen=gc.get_freeze_count(),
        hashed=hashes, layout="none" if memory.file is None else "memory", allocated_blocks=sys.getallocatedblocks())
    out.write(json.dumps(header) + "\n" + process)
    del header, process

    getrefcount, referents, getsizeof, find = sys.getrefcount, gc.get_referents, sys.getsizeof, index.get
    # What the loop below adds to the count of an object: its place in a list, the loop's variable, the argument. `probe` adds one.
    probe = object()
    for o in [probe]:
        base = getrefcount(o) - 1
    o = kind = x = None
    number = total = edges = 0
    for o in objects:
        count = getrefcount(o) - base
        if id(o) in own:
            rows.append("[%d,-1,0,0,0,0,[]]\n" % number)
            number += 1
            continue
        if id(o) in facts:
            count -= 1                                                      # `kinds` holds it
        kind = type(o)                                                      # not o.__class__, not isinstance: a proxy would load its target
        fact = facts.get(id(kind))
        if fact is None:
            kinds.append(kind)
            special = 8 if issubclass(kind, type) else 16 if issubclass(kind, types.ModuleType) else 32 if kind is types.FunctionType else 64 if kind in _FRAMES else 0
            text = hashes and (1 if kind is str else 2 if kind is bytes else 0)
            looks = bool(_dictoffset(kind)) and memory.file is not None and not special & 56
            fact = facts[id(kind)] = [len(kinds) - 1, _builtin_sizeof(kind), special, text, looks, 0]
        try:
            size = getsizeof(o) if fact[1] else _plain_size(o, _flags(kind))
        except Exception:                                                   # an extension's own __sizeof__ may raise anything
            size = _basicsize(kind)
        special = fact[2]
        flags = special | (number < tracked) | (id(o) in young and 2)
        if count >= _IMMORTAL:
            flags, count = flags | 4, -1
        elif count <= 0:
            count = 1                                                       # held by a thread that a forked child does not have
        refs = []
        for x in referents(o):
            place = find(id(x))
            if place is None:
                if id(x) in own:
                    continue
                place = index[id(x)] = len(objects)
                objects.append(x)
            refs.append(place)
        label = None
        if special & 56:
            label = _label(o, special)
            if special & 8:
                owned.update(map(id, referents(_dict(o))))                  # of a proxy: the dict itself
            elif special & 16:
                owned.add(id(_module_dict(o)))
            else:
                owned.add(id(o.__globals__))
        elif fact[3]:
            label = blake2b(o.encode("utf-8", "surrogatepass") if fact[3] == 1 else o, digest_size=8, key=key).hexdigest()
        if fact[4]:
            place = find(memory.dict_of(id(o), kind))
            if place in refs:
                owned.add(id(objects[place]))
            if fact[5] < sample and _flags(kind) & _HEAP_TYPE:
                fact[5] += 1
                samples.append(number)
        rows.append("[%d,%d,%d,%d,%d,%d,%s%s]\n" % (
            number, fact[0], size, flags, count, id(o) if addresses else 0, repr(refs).replace(" ", ""), "," + quoted(label) if label else ""))
        total += size
        edges += len(refs)
        number += 1
        if len(rows) >= 2048:
            out.write("".join(rows))
            rows.clear()
        kind = x = None                                                     # or the next object's count would have them in it
    out.write("".join(rows))

    # Counts are written; from here on references to objects may be held.
    for place in sorted(index[address] for address in owned if address in index):
        if type(objects[place]) is dict:
            out.write(_line("names", {"id": place, "keys": _keys(objects[place], own)}))
    for place, kind in enumerate(kinds):
        out.write(_describe(place, kind))
    for line in _attributes(objects, samples, facts, memory):
        out.write(line)
    memory.close()

    collected = None
    if verify:
        o = kind = x = fact = refs = line = probe = None
        for container in (objects, index, kinds, facts, owned, samples, rows, young, own):
            container.clear()
        collected = gc.collect()
    end = {"objects": number, "bytes": total, "edges": edges, "gc_collected_after": collected, "seconds": round(time.time() - start, 3)}
    out.write(_line("end", end))
    out.close()
    return end


def _attributes(objects, samples, facts, memory):
    """a line for each class with the attributes of its sampled instances"""
    by_class = {}
    for place in samples:
        o = objects[place]
        kind = type(o)
        number = facts[id(kind)][0]
        if number not in by_class:
            by_class[number] = [0, {}, memory.order(kind)]
        entry = by_class[number]
        address, names = memory.dict_of(id(o), kind), ()
        made = [x for x in gc.get_referents(o) if id(x) == address and type(x) is dict]
        if made:
            names = [_identifier(key) or "<%s>" % type(key).__name__ for key in made[0]]
        elif entry[2]:                                                      # in 3.13 also if there is a dict: it may have no values of its own
            present = memory.present(id(o), kind, len(entry[2]))
            if present is None:
                continue
            names = [name for name, there in zip(entry[2], present) if there and name]
        entry[0] += 1
        for name in names:
            entry[1][name] = entry[1].get(name, 0) + 1
    for number, (sampled, names, order) in sorted(by_class.items()):
        known = {"type": number, "sampled": sampled, "names": sorted(names.items(), key=lambda item: -item[1])[:64]}
        yield _line("attrs", dict(known, order=order) if order else known)


def dump_forked(path, wait=False, **options):
    """Writes a dump from a forked child, as databases save snapshots; the process itself stops for the time of two forks. The child
    needs memory for the pages that it changes by counting. Nobody has to wait for it: it is no child of this process but of a
    child that has ended. With `wait`, comes back when the dump is complete and tells how much it wrote."""
    start = time.time()
    # os.fork() ends the other threads' states in the child. What only they hold must not die there, now or later: its finalizers
    # would talk to servers in this process's name. So everything stays referenced until the child ends without cleaning up.
    found = gc.get_objects() if len(sys._current_frames()) > 1 else None
    pid, (reader, writer) = os.getpid(), os.pipe()
    try:
        child = os.fork()
    except Warning:                                                         # of threads and fork, made an error; the child runs all the same
        child = None
    if child == 0:
        status = 1
        try:
            signal.pthread_sigmask(signal.SIG_BLOCK, _ALL_SIGNALS)          # the program's handlers are not for here
            if os.fork() == 0:
                os.close(reader)
                end = dump(path, _found=found, _pid=pid, **options)
                os.write(writer, json.dumps(end).encode())
            status = 0
        except BaseException as error:
            os.write(writer, json.dumps({"error": "%s: %s" % (type(error).__name__, error)}).encode())
        finally:
            os._exit(status)
    del found
    os.close(writer)
    if child:
        os.waitpid(child, 0)
    pause, answer = time.time() - start, b"{}"
    if wait:
        answer = b"".join(iter(lambda: os.read(reader, 4096), b""))
    os.close(reader)
    return dict(json.loads(answer or b'{"error": "the child ended early"}'), pause_seconds=round(pause, 4))


def install(signum=None, folder=None, **options):
    """Dumps by signal, SIGUSR2 unless another is named; gives the handler that was there before. Call it in the main thread."""
    folder = os.environ.get("TMPDIR", "/tmp") if folder is None else folder

    def on_signal(_signum, _frame):
        global _written
        _written += 1
        dump_forked(os.path.join(folder, "cpymem-%d-%d.heap.jsonl.gz" % (os.getpid(), _written)), **options)

    return signal.signal(signal.SIGUSR2 if signum is None else signum, on_signal)


def serve(path, **options):
    """Answers every connection to a Unix socket, which only this user may open, with a dump; the answer is HTTP."""
    import socket
    import threading

    listener = socket.socket(socket.AF_UNIX)
    mask = os.umask(0o177)
    try:
        listener.bind(path)
    finally:
        os.umask(mask)
    listener.listen(1)

    def answer():
        while True:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: application/gzip\r\n\r\n")
                dump_forked(connection.fileno(), **options)

    threading.Thread(target=answer, name="cpymem-dump", daemon=True).start()
    return listener


def wsgi(_environ, start_response):
    """A WSGI application that answers with a dump."""
    reader, writer = os.pipe()
    dump_forked(writer)
    os.close(writer)
    start_response("200 OK", [("Content-Type", "application/gzip")])
    return os.fdopen(reader, "rb")


def main(arguments):
    import importlib

    verify = "--verify" in arguments
    arguments = [argument for argument in arguments if argument != "--verify"]
    if not 2 <= len(arguments) <= 3:
        sys.exit("usage: python cpymem_dump.py [--verify] OUT MODULE[:FUNCTION] [JSON of keyword arguments]")
    sys.path.insert(0, os.getcwd())
    name, _, function = arguments[1].partition(":")
    module = importlib.import_module(name)
    if function or len(arguments) == 3:
        getattr(module, function or "main")(**(json.loads(arguments[2]) if len(arguments) == 3 else {}))
    print(json.dumps(dump(arguments[0], verify=verify)), file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
