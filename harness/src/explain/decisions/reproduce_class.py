"""Shows the finding in a process of its own: what an instance takes with a dict and with slots, in this Python."""
import sys
import tracemalloc

TARGET = "module.Profile"  # set
ATTRIBUTES = ("name", "mail", "age")  # set
INSTANCES = 20000  # set
EXPECTED_BYTES = 1000000  # set

count = max(min(INSTANCES, 200000), 1000)
body = "\n".join("        self.%s = value" % name for name in ATTRIBUTES)
source = "class %s:\n%s    def __init__(self, value):\n" + body
names = {}
exec(source % ("WithDict", ""), names)
exec(source % ("WithSlots", "    __slots__ = %r\n" % (ATTRIBUTES,)), names)


def each(kind):
    for _ in range(100):                                # a class learns its attributes from its first instances
        kind(None)
    tracemalloc.start()
    kept = [None] * count
    before = tracemalloc.get_traced_memory()[0]
    for number in range(count):
        kept[number] = kind(None)
    held = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return held / count


with_dict, with_slots = each(names["WithDict"]), each(names["WithSlots"])
print("%s on CPython %s: %.0f bytes an instance with a dict, %.0f with slots" % (TARGET, sys.version.split()[0], with_dict, with_slots))
print("%d instances: slots save %d bytes as asked for; %d expected in blocks" % (INSTANCES, (with_dict - with_slots) * INSTANCES, EXPECTED_BYTES))
sys.exit(0 if with_slots < with_dict else 1)
