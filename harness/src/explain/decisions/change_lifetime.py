"""A template: a mapping with a limit and an age in place of one that only grows. Keep the parts that you need."""
import threading
import time
from collections import OrderedDict

TARGET = "module.CACHE"  # set
FIRST_ENTRIES = 1000  # set


class Bounded:
    """the newest `limit` entries, none older than `seconds`"""

    __slots__ = ("limit", "seconds", "_entries", "_lock")

    def __init__(self, limit=FIRST_ENTRIES or 1000, seconds=None):
        self.limit, self.seconds, self._entries, self._lock = limit, seconds, OrderedDict(), threading.Lock()

    def __setitem__(self, key, value):
        with self._lock:
            self._entries[key] = (time.monotonic(), value)
            self._entries.move_to_end(key)
            while len(self._entries) > self.limit:
                self._entries.popitem(last=False)

    def get(self, key, default=None):
        with self._lock:
            made, value = self._entries.get(key, (None, default))
            if made is not None and self.seconds is not None and time.monotonic() - made > self.seconds:
                del self._entries[key]
                return default
            return value

    def __len__(self):
        return len(self._entries)


# In place of `CACHE = {}`:      CACHE = Bounded(limit=...)
# Of a list of errors or events:  collections.deque(maxlen=...); keep str(error), not the error: it keeps its frames.
# Of listeners:                   weakref.WeakSet(), or an unsubscribe that is called where the subscriber ends.
if __name__ == "__main__":
    cache = Bounded(limit=10)
    for number in range(100):
        cache[number] = number
    assert len(cache) == 10 and cache.get(99) == 99 and cache.get(0) is None
    print("in place of %s: %d entries after 100 were put in" % (TARGET, len(cache)))
