"""Shows the finding in a process of its own: a few survivors keep all arenas; rebuilt, they need few. Linux."""
import gc
import os
import random
import re
import sys
import tempfile

ARENAS = 20  # set
EXPECTED_BYTES = 10000000  # set

BLOCK = 160


def arenas():
    """arenas that pymalloc holds, from sys._debugmallocstats()"""
    saved = os.dup(2)
    with tempfile.TemporaryFile() as text:
        os.dup2(text.fileno(), 2)
        try:
            sys._debugmallocstats()
        finally:
            os.dup2(saved, 2)
            os.close(saved)
        text.seek(0)
        found = re.search(rb"(\d+) arenas \* (\d+) bytes", text.read())
    return (int(found.group(1)), int(found.group(2))) if found else (0, 0)


size = arenas()[1]
if not size:
    sys.exit("pymalloc is not in use here (PYTHONMALLOC, or a build without the GIL)")
count = max(min(ARENAS, 200), 12) * size // (BLOCK + 48)
everything = [bytes(BLOCK - 33) for _ in range(count)]
full = arenas()[0]
chance = random.Random(1)
kept = [block for block in everything if chance.random() < 0.03]
del everything
gc.collect()
scattered = arenas()[0]
kept = [bytes(bytearray(block)) for block in kept]      # a copy of each; the old ones go
gc.collect()
packed = arenas()[0]
print("%d blocks of %d bytes: %d arenas; %d survive: %d arenas; rebuilt: %d" % (count, BLOCK, full, len(kept), scattered, packed))
print("rebuilding brings %d bytes" % ((scattered - packed) * size))
sys.exit(0 if scattered > full // 2 and packed < scattered - full // 4 else 1)
