"""How the C library's allocator treats the memory that a step frees: it is about to be asked for again. Imports nothing of ours.

glibc gives freed memory back to the system once enough of it lies together, and the next step pays for every page anew. Whether it does
depends on what the process allocated before. [1,1,1] x 8 channels, batch 128, AMD EPYC, one thread, images/s of processor time, over
seven processes: 2577 to 3437 where it is left alone (1,400 to 7,700 page faults a step), 3476 to 3774 with the settings below (none).
Networks of 16 and of 64 channels: no difference.
"""

import ctypes
import sys

# Keys of glibc's mallopt (malloc.h).
M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
# Pieces up to this size are taken from the heap, and so much may lie free at its end: more than a step of the largest network here.
KEPT_BYTES = 2**30
# The largest piece that glibc before 2.35 may be told to take from the heap.
OLD_KEPT_BYTES = 2**25


def keep_freed_memory() -> None:
    """Let the allocator keep what is freed from here on, but for what `memory.give_back` returns; glibc only, elsewhere nothing happens."""
    if not sys.platform.startswith("linux"):
        return
    library = ctypes.CDLL(None)
    if not all(hasattr(library, name) for name in ("gnu_get_libc_version", "mallopt")):
        return
    if not library.mallopt(M_MMAP_THRESHOLD, KEPT_BYTES):
        library.mallopt(M_MMAP_THRESHOLD, OLD_KEPT_BYTES)
    library.mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
