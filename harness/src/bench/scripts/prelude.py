# Runs under every CPython from 2.7 on. A workload's script follows and defines `turn(setting)`, which returns a
# dictionary of "times" (ns), "counts", "bytes", "numbers" and "pauses" (ns); then `loop.py`, which calls it for each line
# it is sent.
from __future__ import print_function
import gc
import json
import sys
import time

try:
    clock = time.perf_counter_ns
except AttributeError:
    _clock = getattr(time, "perf_counter", time.time)

    def clock():
        return int(_clock() * 1e9)


def arenas():
    """Arenas that pymalloc holds now, or None where it does not tell."""
    stats = debugmallocstats()
    return None if stats is None else stats.get("# arenas allocated current")


def debugmallocstats():
    """The counters of sys._debugmallocstats, which writes to the C library's stderr."""
    import os
    import tempfile
    if not hasattr(sys, "_debugmallocstats"):
        return None
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as sink:
        os.dup2(sink.fileno(), 2)
        try:
            sys._debugmallocstats()
        finally:
            os.dup2(saved, 2)
            os.close(saved)
        sink.seek(0)
        lines = sink.read().decode("ascii", "replace").splitlines()
    found = {}
    for line in lines:
        name, _, number = line.partition("=")
        number = number.strip().replace(",", "")
        if number.isdigit():
            found[name.strip()] = int(number)
    return found


def smaps(field):
    """Bytes of a field of the process's smaps, added up, or None where there is none."""
    for name in ("/proc/self/smaps_rollup", "/proc/self/smaps"):
        try:
            with open(name) as lines:
                return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(field + ":"))
        except (IOError, OSError):
            pass
    return None


class Random(object):
    """Marsaglia's xorshift64*, as the Rust side has it: the same seed makes the same choices."""

    MASK = (1 << 64) - 1

    def __init__(self, seed):
        z = (seed + 0x9e3779b97f4a7c15) & self.MASK
        z = ((z ^ (z >> 30)) * 0xbf58476d1ce4e5b9) & self.MASK
        z = ((z ^ (z >> 27)) * 0x94d049bb133111eb) & self.MASK
        self.state = (z ^ (z >> 31)) | 1

    def below(self, bound):
        state = self.state
        state ^= state >> 12
        state ^= (state << 25) & self.MASK
        state ^= state >> 27
        self.state = state
        return ((((state * 0x2545f4914f6cdd1d) & self.MASK) >> 32) * bound) >> 32
