"""The judge's own files, which a backend's process may read and not write.

Where the kernel allows it the process sees the files under a table of mounts of its own, in which
the interpreter's modules and TrueStep are read-only, and has given up what could undo that.
"""

import ctypes
import os
import site
import struct
import sysconfig
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

NEW_MOUNTS = 0x00020000
_PRIVATE, _RECURSIVE, _BIND = 1 << 18, 1 << 14, 1 << 12
# mount_setattr, which has one number on all machines, its flag for a whole tree, and read-only.
_MOUNT_SETATTR, _TREE, _READ_ONLY = 442, 0x8000, 1
_HERE = -100
# What a process needs of its owner's rights over files: it loses all others.
_CHOWN, _DAC_OVERRIDE, _FOWNER, _FSETID = 0, 1, 3, 4
_KEPT = 1 << _CHOWN | 1 << _DAC_OVERRIDE | 1 << _FOWNER | 1 << _FSETID
_CAPABILITIES = 64
_DROP, _NO_NEW_PRIVILEGES = 24, 38
_VERSION_3 = 0x20080522


def own_files() -> list[Path]:
    """Folders from which a judge takes its code: modules, programs, and TrueStep itself."""
    found = (path.resolve() for path in _own_files())
    return sorted({path if path.is_dir() else path.parent for path in found if path.exists()})


def _own_files() -> Iterator[Path]:
    names = ("stdlib", "platstdlib", "purelib", "platlib", "scripts")
    paths = sysconfig.get_paths()
    yield from (Path(paths[name]) for name in names)
    yield from map(Path, (*site.getsitepackages(), site.getusersitepackages()))
    package = Path(__file__).parents[2]
    # A tree of links is as good as an installed package.
    yield from (package, *package.iterdir(), *(package / "fast").iterdir())


def seal(paths: list[Path]) -> bool:
    """Make these folders read-only in the mounts of this process; False where that cannot be.

    The process has to be in a name space of mounts of its own.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"none", b"/", None, _RECURSIVE | _PRIVATE, None):
        return False
    read_only = struct.pack("4Q", _READ_ONLY, 0, 0, 0)
    for path in map(os.fsencode, paths):
        if libc.mount(path, path, None, _BIND | _RECURSIVE, None):
            return False
        if libc.syscall(
            _MOUNT_SETATTR, _HERE, path, _TREE, ctypes.c_char_p(read_only), len(read_only)
        ):
            return False
    with suppress(OSError):  # its folder is gone
        os.chdir(Path.cwd())  # where it stands is still below the mounts
    return True


def renounce() -> None:
    """Give up, for good and for all that is started, the rights that could undo what was done."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    for capability in range(_CAPABILITIES):
        if not _KEPT >> capability & 1:
            libc.prctl(_DROP, capability, 0, 0, 0)
    low, high = _KEPT & 0xFFFFFFFF, _KEPT >> 32
    header, held = struct.pack("Ii", _VERSION_3, 0), bytearray(24)
    libc.capget(ctypes.c_char_p(header), (ctypes.c_char * 24).from_buffer(held))
    permitted = struct.unpack("6I", held)[1::3]
    kept = struct.pack(
        "6I", low & permitted[0], low & permitted[0], 0, high & permitted[1], high & permitted[1], 0
    )
    libc.capset(ctypes.c_char_p(header), ctypes.c_char_p(kept))
