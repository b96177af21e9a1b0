"""What a login's hash takes is given back (NFR-1.4)."""

import subprocess
import sys

PROGRAM = """
import re, sys
from concurrent.futures import ThreadPoolExecutor
from nixfleet_server.auth.passwords import hash_password, verify
from nixfleet_server.memory import give_big_blocks_back

def resident():
    return int(re.search(r"VmRSS:\\s+(\\d+)", open("/proc/self/status").read())[1])

if sys.argv[1] == "on":
    assert give_big_blocks_back()
hasher = ThreadPoolExecutor(1)
hashed = hasher.submit(hash_password, "correct horse").result()
before = resident()
for _ in range(3):
    assert hasher.submit(verify, "correct horse", hashed).result()
print(resident() - before)
"""


def growth(word: str) -> int:
    """KiB that a process has grown by three logins."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, word], capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_a_login_leaves_no_memory_behind() -> None:
    assert growth("on") < 4 * 1024
    assert growth("off") > 12 * 1024  # else the allocator has changed, and this is needed no more
