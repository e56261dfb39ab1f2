"""What a backend's process may do: limits of the system, and no network and no writing of the
suite's files where the kernel allows that.

Called before anything else is loaded: name spaces are left by a process of one thread alone.
"""

import ctypes
import fcntl
import os
import resource
import signal
import socket
import struct
from contextlib import suppress
from pathlib import Path

from truestep.fast.host import filesystem

# Bytes that one file may have, and open files: what a runaway kernel may take of the machine.
_FILE = 2**32
_FILES = 2**16
_NEW_USER, _NEW_NET = 0x10000000, 0x40000000
_PARENT_DEATH, _DUMPABLE, _ADOPTS, _IS_ADOPTING = 1, 4, 36, 37
_SET_FLAGS, _UP = 0x8914, 0x1


def confine(memory: int, parent: int) -> None:
    """Take limits on memory (bytes), files and dumps; leave network and files; end with the judge.

    parent: the judge's number.
    """
    die_with_parent(parent)
    _limit(resource.RLIMIT_DATA, memory)
    _limit(resource.RLIMIT_FSIZE, _FILE)
    _limit(resource.RLIMIT_NOFILE, _FILES)
    _limit(resource.RLIMIT_CORE, 0)
    # What is written beyond the limit is an error of the write, not a signal.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _isolate(
        network=os.environ.get("TRUESTEP_NETWORK") != "1",
        files=os.environ.get("TRUESTEP_FILES") != "1",
    )


def die_with_parent(parent: int) -> None:
    """Have the kernel end this process when parent ends, the one that started it."""
    ctypes.CDLL(None).prctl(_PARENT_DEATH, signal.SIGKILL)
    if os.getppid() != parent:  # it has ended already
        os.kill(os.getpid(), signal.SIGKILL)


def hide_memory() -> None:
    """Let no process of the same user read this one's memory."""
    ctypes.CDLL(None).prctl(_DUMPABLE, 0)


def adopt() -> None:
    """Become the parent of what descends from this process and has lost its own: of daemons."""
    ctypes.CDLL(None).prctl(_ADOPTS, 1)


def adopts() -> bool:
    """Whether this process has said so."""
    found = ctypes.c_int()
    ctypes.CDLL(None).prctl(_IS_ADOPTING, ctypes.byref(found))
    return bool(found.value)


def _limit(what: int, wanted: int) -> None:
    _, hard = resource.getrlimit(what)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(what, (most, hard))


def _isolate(*, network: bool, files: bool) -> None:
    """Enter a network with nothing in it but a loopback that works, and mounts of its own."""
    wanted = network * _NEW_NET | files * filesystem.NEW_MOUNTS
    user, group = os.getuid(), os.getgid()
    unshare = ctypes.CDLL(None, use_errno=True).unshare
    if unshare(wanted):
        if unshare(_NEW_USER | wanted):
            return  # the kernel does not allow it
        # Without these, which some systems forbid, the process is nobody's to itself alone.
        maps = {"uid_map": f"{user} {user} 1", "gid_map": f"{group} {group} 1"}
        with suppress(OSError):
            for name, line in {"setgroups": "deny", **maps}.items():
                Path(f"/proc/self/{name}").write_text(line, encoding="ascii")
    if network:
        with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as loopback:
            fcntl.ioctl(loopback, _SET_FLAGS, struct.pack("16sh14x", b"lo", _UP))
    if files and filesystem.seal(filesystem.own_files()):
        filesystem.renounce()
