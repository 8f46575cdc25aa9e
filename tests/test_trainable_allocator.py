import platform
import subprocess
import sys
import textwrap

import pytest

PROGRAM = textwrap.dedent(
    """
    import resource
    from trainable.allocator import keep_freed_memory

    if {tuned}:
        keep_freed_memory()
    for _ in range(4):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        # 64 MB, which glibc maps anew each time unless it is told otherwise.
        b"\\1" * 2**26
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    """
)


LIBRARY, VERSION = platform.libc_ver()


@pytest.mark.skipif(LIBRARY != "glibc" or tuple(map(int, VERSION.split("."))) < (2, 35), reason="older ones keep smaller pieces only")
def test_memory_that_was_freed_is_used_again_without_a_page_fault() -> None:
    faults = [
        int(subprocess.run([sys.executable, "-c", PROGRAM.format(tuned=tuned)], capture_output=True, text=True, check=True).stdout)
        for tuned in (False, True)
    ]
    assert faults[0] > 1000
    assert faults[1] < 100
