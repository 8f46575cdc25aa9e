import subprocess
import sys
import textwrap

import pytest

PROGRAM = textwrap.dedent(
    """
    import resource
    import torch
    from trainable.allocator import keep_freed_memory

    if {tuned}:
        keep_freed_memory()
    for _ in range(30):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        # 64 MB, which glibc maps anew each time unless it is told otherwise.
        torch.ones(2**24)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    """
)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")
def test_memory_that_was_freed_is_used_again_without_a_page_fault() -> None:
    faults = [
        int(subprocess.run([sys.executable, "-c", PROGRAM.format(tuned=tuned)], capture_output=True, text=True, check=True).stdout)
        for tuned in (False, True)
    ]
    assert faults[0] > 1000
    assert faults[1] < 100
