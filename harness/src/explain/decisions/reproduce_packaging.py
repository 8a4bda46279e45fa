"""Shows the finding in processes of their own: what an interpreter takes with the package and without. Linux.
Run it with the program's own interpreter: python reproduce.py [PACKAGE]"""
import subprocess
import sys

TARGET = "unittest"  # set
EXPECTED_BYTES = 1000000  # set

package = sys.argv[1] if len(sys.argv) > 1 else TARGET
CODE = """
import sys
try:
    {}
except ImportError:
    sys.exit(3)
fields = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
print(int(fields["VmRSS"].split()[0]) * 1024, len(sys.modules), sys.getallocatedblocks())
"""


def resident(statement):
    done = subprocess.run([sys.executable, "-c", CODE.format(statement)], stdout=subprocess.PIPE)
    if done.returncode == 3:
        sys.exit("%s cannot be imported by %s: run this with the program's own interpreter" % (package, sys.executable))
    return [int(word) for word in done.stdout.split()]


without, with_it = resident("pass"), resident("import " + package)
print("without %s: %d bytes resident, %d modules, %d blocks" % ((package,) + tuple(without)))
print("with %s:    %d bytes resident, %d modules, %d blocks" % ((package,) + tuple(with_it)))
print("its import takes %d bytes, less what the program imports anyway; expected %d" % (with_it[0] - without[0], EXPECTED_BYTES))
sys.exit(0 if with_it[2] > without[2] else 1)
