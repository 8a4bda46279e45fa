"""A template: give memory back after a peak. Measure each part by itself; keep the one that helps."""
import copy
import ctypes
import gc

EXPECTED_BYTES = 10000000  # set


def rebuild(survivors):
    """a copy of what lives on: new blocks come from the fullest arenas, and the old ones, left empty, go back"""
    return copy.deepcopy(survivors)


def give_back():
    """after the bulk is gone: empties free lists, then asks the C library to return what it holds"""
    gc.collect()
    try:
        return bool(ctypes.CDLL(None).malloc_trim(0))
    except (AttributeError, OSError):                   # not glibc
        return False


# After a bulk job:   CACHE = rebuild(CACHE); give_back()
# In a worker pool:   end the worker instead, when its memory is over a limit that is well above its working set.
if __name__ == "__main__":
    kept = rebuild({"key": [1, 2, 3]})
    assert kept == {"key": [1, 2, 3]}
    print("returned to the system: %s; expected up to %d bytes" % (give_back(), EXPECTED_BYTES))
