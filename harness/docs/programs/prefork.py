"""What a forked worker shares with the process that loaded the application.   python prefork.py MODULE DUMP

The parent imports the module and serves a few requests, dumps itself, and freezes the collector; the worker then serves 300
requests of its own. Printed is the anonymous memory that the worker still shares: what it would take if it had loaded all of
it by itself."""
import gc
import importlib
import os
import sys

import cpymem_dump


def shared_and_private():
    """anonymous memory of this process in bytes, by who has it"""
    shared = private = 0
    name = ""
    for line in open("/proc/self/smaps"):
        words = line.split()
        if not words[0].endswith(":"):
            name = words[5] if len(words) > 5 else ""
        elif name in ("", "[heap]"):
            if words[0] in ("Shared_Clean:", "Shared_Dirty:"):
                shared += int(words[1]) * 1024
            elif words[0] in ("Private_Clean:", "Private_Dirty:"):
                private += int(words[1]) * 1024
    return shared, private


module, path = sys.argv[1:]
worker = importlib.import_module(module)
worker.serve(0, 8)
gc.collect()
cpymem_dump.dump_forked(path, wait=True)                  # the parent does not grow by it
gc.freeze()
sys.stdout.flush()
if os.fork() == 0:
    worker.serve(8, 308)
    shared, private = shared_and_private()
    print("after 300 requests the worker shares %.1f MiB and has %.1f MiB of its own" % (shared / 2**20, private / 2**20))
    sys.stdout.flush()
    os._exit(0)
os.wait()
