"""prints what instances with a dict and with slots take, measured, then dumps a heap with both of them:
measured.py FOLDER NAME"""
import gc, os, re, sys
sys.path.insert(0, sys.argv[1])
import cpymem_dump
NAMES = ("id", "name", "mail", "age", "score", "tags", "team")
N = 20000
class Slotted:
    __slots__ = NAMES
class Plain: pass
def fill(o):
    o.id = o.name = o.mail = o.age = o.score = o.tags = o.team = None
    return o
def allocated():
    "bytes in blocks of pymalloc that are in use"
    gc.collect()
    read, write = os.pipe(); saved = os.dup(2); os.dup2(write, 2)
    try: sys._debugmallocstats()
    finally: os.dup2(saved, 2); os.close(saved); os.close(write)
    with os.fdopen(read) as f: text = f.read()
    return sum(int(size) * int(blocks.replace(",", "")) for size, blocks in re.findall(r"^ +\d+ +(\d+) +\d+ +([\d,]+) +[\d,]+$", text, re.M))
def measured(kind, keep):
    for _ in range(100): keep.append(fill(kind()))
    spare = [None] * N
    before = allocated()
    for k in range(N): spare[k] = fill(kind())
    after = allocated(); keep.append(spare)
    return (after - before) / N
KEEP = []
print(measured(Plain, KEEP), measured(Slotted, KEEP))
cpymem_dump.dump(os.path.join(sys.argv[1], sys.argv[2]))
