"""Memory that the judge's process and the backend's both map, without a name in the system."""

import mmap
import os
from fcntl import fcntl

# A share of the machine's memory: only what is written is ever taken of it.
_SHARE = 2
_MOST = 2**36

# Linux's fcntl and memfd numbers; Python's fcntl has had the seals since 3.8 on Linux alone.
_ADD_SEALS, _SEAL_SHRINK, _SEAL_GROW, _SEAL_SEAL = 1033, 2, 4, 1


def of_the_machine() -> int:
    """Bytes of the machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def created() -> int:
    """A descriptor of new memory, whose size nobody can change any more.

    Shrunk by one process, it would end the other one with SIGBUS.
    """
    size = min(_MOST, of_the_machine() // _SHARE)
    found = os.memfd_create("truestep", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(found, size // mmap.PAGESIZE * mmap.PAGESIZE)
    fcntl(found, _ADD_SEALS, _SEAL_SHRINK | _SEAL_GROW | _SEAL_SEAL)
    return found


def mapped(descriptor: int) -> memoryview:
    """The memory behind a descriptor, to be read and written."""
    return memoryview(mmap.mmap(descriptor, os.fstat(descriptor).st_size))
