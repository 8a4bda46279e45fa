"""Memory is not the bottleneck; this says where the time goes.   python reproduce.py MODULE:FUNCTION"""
import cProfile
import importlib
import pstats
import sys

if len(sys.argv) != 2:
    print(__doc__)
    sys.exit()
sys.path.insert(0, "")
module, _, function = sys.argv[1].partition(":")
call = getattr(importlib.import_module(module), function or "main")
profile = cProfile.Profile()
profile.runcall(call)
pstats.Stats(profile).sort_stats("cumulative").print_stats(15)
