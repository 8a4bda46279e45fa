import os
import types

WORKER = '''
class Session(object):
    def __init__(self, size):
        self.body = bytearray(size)

class Listener(object):
    def notify(self, event):
        return event

CACHE = {}
ERRORS = []
LISTENERS = []
RECENT = []

def parse(size):
    rows = bytearray(size)
    raise ValueError(len(rows))

def handle(number, caches, fails, subscribes, size):
    RECENT.append(Session(size))
    if len(RECENT) > 50:
        del RECENT[0]
    if caches:
        CACHE["user-%d" % number] = Session(size)
    if subscribes:
        LISTENERS.append(Listener().notify)
    if fails:
        try:
            parse(size)
        except ValueError as error:
            ERRORS.append(error)
'''

worker = types.ModuleType("worker")
sys.modules["worker"] = worker
exec(WORKER, worker.__dict__)


def load(folder):
    sys.path.insert(0, folder)
    import cpymem_dump
    sys.path.pop(0)
    return cpymem_dump


def serve(setting, random, begin, end):
    cache, errors, listeners = setting["leaks"]
    for number in range(begin, end):
        caches, fails, subscribes = (random.below(10) < 6, random.below(10) < 1, random.below(10) < 2)
        worker.handle(number, cache and caches, errors and fails, listeners and subscribes, 64 + random.below(400))


def lengths():
    return [len(worker.CACHE), len(worker.ERRORS), len(worker.LISTENERS)]


def turn(setting):
    dumper = load(setting["folder"])
    worker.CACHE.clear()
    del worker.ERRORS[:]
    del worker.LISTENERS[:]
    random = Random(setting["seed"])
    warm = setting["requests"] // 2
    serve(setting, random, 0, warm)
    before = lengths()
    gc.collect()
    dumper.dump(os.path.join(setting["folder"], "first.heap.jsonl"))
    serve(setting, random, warm, setting["requests"])
    after = lengths()
    gc.collect()
    start = clock()
    dumper.dump(os.path.join(setting["folder"], "second.heap.jsonl"))
    took = clock() - start
    grew = [now - then for now, then in zip(after, before)]
    return {"counts": [["worker.CACHE, planted", grew[0]], ["worker.ERRORS, planted", grew[1]],
                       ["worker.LISTENERS, planted", grew[2]]],
            "pauses": [["the second dump", took]]}
