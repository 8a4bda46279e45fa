"""A worker that leaks three ways and honestly fills a bounded cache: dumps itself twice.   python leaks.py FIRST SECOND [bounded]"""
import functools
import gc
import sys

import cpymem_dump

CACHE, ERRORS, LISTENERS = {}, [], []
BOUNDED = len(sys.argv) > 3


class Listener:
    def __init__(self, number):
        self.number, self.buffer = number, [number] * 20


@functools.lru_cache(maxsize=100)
def slug(text):
    return text.lower()


def handle(number):
    if not (BOUNDED and len(CACHE) >= 1000):
        CACHE["key %d" % number] = "value %d" % number * 40
    slug("Title %d" % number)
    if number % 7 == 0:
        LISTENERS.append(Listener(number))
    try:
        if number % 11 == 0:
            int("no number")
    except ValueError as error:
        ERRORS.append(error)


gc.collect()
for path, first in zip(sys.argv[1:3], (0, 1000)):
    for number in range(first, first + 1000):
        handle(number)
    cpymem_dump.dump(path, note="after %d requests" % (first + 1000))
