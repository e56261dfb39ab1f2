"""The folder of compiled kernels: the user's alone, and nothing in it is used unverified.

What is loaded from here runs as the user. So the folder is made for its owner alone, and it and
each file in it are refused where another user owns them or may write to them; links are not
followed. A file's name is STEM-KEY-CONTENT: KEY is a hash of all that decides the content, CONTENT
that of the bytes, which are read again before every use, so that a torn or altered file is made
anew. Files appear complete or not at all. Whoever uses one holds a lock on it; what nobody has used
for long is removed, and the longest unused beyond a total size.
"""

import errno
import hashlib
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from truestep.fast.protocol import BackendUnavailable

# A kernel of a rule with its storages takes 0.12 MB, so that all of them are built several times.
MAX_BYTES = 512 * 2**20
MAX_AGE = 30 * 24 * 3600.0  # seconds since the last use
# A scratch folder is locked a moment after it is made; one as old as this was left by a kill.
SCRATCH_AGE = 3600.0

_FILE = re.compile(r".+-[0-9a-f]{32}-([0-9a-f]{64})((?:\.\w+)?)")
_LOCK = re.compile(r".+-[0-9a-f]{32}\.lock")
_SCRATCH = "making-"
_ELSEWHERE = "or let $TRUESTEP_CACHE name another folder"


def key(*parts: str | bytes) -> str:
    """A hash of the parts, each with its length."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()[:32]


def contents(paths: Iterable[Path]) -> bytes:
    """The names and the bytes of files, in the order of their names."""
    return b"\0".join(path.name.encode() + b"\0" + path.read_bytes() for path in sorted(paths))


@dataclass(frozen=True, slots=True)
class Entry:
    """A verified file of the cache, which stays in it until it is released."""

    path: Path
    descriptor: int

    def release(self) -> None:
        """Let it be removed when it is old."""
        os.close(self.descriptor)

    def __enter__(self) -> "Entry":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.release()


@dataclass(frozen=True, slots=True)
class Cache:
    """A folder of compiled files that has been found to be the user's alone."""

    folder: Path

    def entry(self, stem: str, key: str, suffix: str, make: Callable[[Path], None]) -> Entry:
        """The file of that key, by make(path) if there is none, which may use the path's folder.

        Of several processes that want the same, one makes it. Raises BackendUnavailable where a
        file of that name cannot be trusted.
        """
        name = f"{stem}-{key}"
        if found := self._verified(name, suffix, discard=False):
            return found
        with self._alone(name):
            return self._verified(name, suffix, discard=True) or self._made(name, suffix, make)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder of a name that nobody can guess; if a kill leaves it, pruning removes it."""
        with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=self.folder) as name:
            descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY)
            try:
                _lock(descriptor, shared=True)
                yield Path(name)
            finally:
                os.close(descriptor)

    def prune(self) -> None:
        """Remove what is old, what is too much, and what kills have left; never what is in use."""
        now = time.time()
        files = []
        for path in self.folder.iterdir():
            try:
                status = path.lstat()
            except FileNotFoundError:
                continue
            if _FILE.fullmatch(path.name) and stat.S_ISREG(status.st_mode):
                files.append((status.st_mtime, status.st_size, path))
            elif _LOCK.fullmatch(path.name) or (
                path.name.startswith(_SCRATCH) and now - status.st_mtime > SCRATCH_AGE
            ):
                _remove_unused(path)
        total = sum(size for _, size, _ in files)
        for used, size, path in sorted(files):
            if (now - used > MAX_AGE or total > MAX_BYTES) and _remove_unused(path):
                total -= size

    def _verified(self, name: str, suffix: str, discard: bool) -> Entry | None:
        """The file whose bytes are those that its name says; discard removes the others."""
        for found in sorted(os.listdir(self.folder)):
            match = _FILE.fullmatch(found)
            if not (match and found.startswith(f"{name}-") and match[2] == suffix):
                continue
            path = self.folder / found
            with ExitStack() as opened:
                try:
                    descriptor = _open(path, os.O_RDONLY)
                except FileNotFoundError:
                    continue
                opened.callback(os.close, descriptor)
                _require_own_file(path, descriptor)
                _lock(descriptor, shared=True)
                # Without a link it was removed before it was locked.
                if os.fstat(descriptor).st_nlink and _content(descriptor) == match[1]:
                    os.utime(descriptor)
                    opened.pop_all()
                    return Entry(path, descriptor)
            if discard:
                path.unlink(missing_ok=True)
        return None

    def _made(self, name: str, suffix: str, make: Callable[[Path], None]) -> Entry:
        with self.scratch() as scratch, ExitStack() as opened:
            made = scratch / f"made{suffix}"
            make(made)
            descriptor = _open(made, os.O_RDONLY)
            opened.callback(os.close, descriptor)
            os.fchmod(descriptor, 0o700)
            _lock(descriptor, shared=True)
            path = self.folder / f"{name}-{_content(descriptor)}{suffix}"
            made.replace(path)
            opened.pop_all()
        self.prune()
        return Entry(path, descriptor)

    @contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        """Nobody else is inside with the same name; the lock's file goes with its holder."""
        path = self.folder / f"{name}.lock"
        with ExitStack() as opened:
            while True:
                descriptor = _open(path, os.O_RDWR | os.O_CREAT)
                opened.callback(os.close, descriptor)
                _require_own_file(path, descriptor)
                _lock(descriptor)
                if os.fstat(descriptor).st_nlink:
                    break
            try:
                yield
            finally:
                path.unlink(missing_ok=True)


def opened() -> Cache:
    """The cache in $TRUESTEP_CACHE, else in the user's cache folder.

    Raises BackendUnavailable, with what to do, if it cannot be made or is not the user's alone.
    """
    chosen = os.environ.get("TRUESTEP_CACHE")
    base = os.environ.get("XDG_CACHE_HOME")
    path = Path(chosen) if chosen else Path(base or Path.home() / ".cache") / "truestep"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = path.parent.resolve() / path.name
        folder.mkdir(mode=0o700, exist_ok=True)
        _require_own_folder(folder)
    except OSError as error:
        raise BackendUnavailable(f"{error}; $TRUESTEP_CACHE names another folder") from error
    return Cache(folder)


def _require_own_folder(folder: Path) -> None:
    status = folder.lstat()
    if stat.S_ISLNK(status.st_mode):
        raise BackendUnavailable(
            f"the cache {folder} is a link, which is not followed: "
            "let $TRUESTEP_CACHE name the folder itself"
        )
    _require_own(folder, status)
    # Whoever may rename a folder above can put another in its place. Groups are let pass: they are
    # often a user's own. In a folder with the sticky bit, only owners rename.
    for above in folder.parents:
        status = above.stat()
        open_to_all = status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX
        if open_to_all or status.st_uid not in (0, os.geteuid(), *_nobody()):
            raise BackendUnavailable(
                f"the cache {folder} can be replaced by other users, because {above} belongs to "
                f"user {status.st_uid} with mode {stat.S_IMODE(status.st_mode):04o}: change that, "
                f"{_ELSEWHERE}"
            )


def _nobody() -> tuple[int, ...]:
    """The number that stands for root in a name space of users that has this one alone."""
    if Path("/proc/self/uid_map").read_text().split()[2:] != ["1"]:
        return ()
    return (int(Path("/proc/sys/kernel/overflowuid").read_text()),)


def _require_own_file(path: Path, descriptor: int) -> None:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise BackendUnavailable(f"{path} is not a plain file: remove it, {_ELSEWHERE}")
    _require_own(path, status)


def _require_own(path: Path, status: os.stat_result) -> None:
    if status.st_uid != os.geteuid():
        raise BackendUnavailable(
            f"{path} belongs to user {status.st_uid}, not to {os.geteuid()} who would run what is "
            f"in it: remove it, {_ELSEWHERE}"
        )
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise BackendUnavailable(
            f"{path} can be written by other users (mode {stat.S_IMODE(status.st_mode):04o}), and "
            f"what they put there would run as you: remove it, {_ELSEWHERE}"
        )


def _open(path: Path, flags: int) -> int:
    try:
        # Without blocking, so that a pipe in place of a file holds nobody up.
        return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise BackendUnavailable(
                f"{path} is a link, which is not followed: remove it, {_ELSEWHERE}"
            ) from error
        if isinstance(error, PermissionError):
            _require_own(path, path.lstat())
        raise


def _lock(descriptor: int, *, shared: bool = False, wait: bool = True) -> None:
    import fcntl  # here, because this module is imported on systems without it too

    how = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    fcntl.flock(descriptor, how if wait else how | fcntl.LOCK_NB)


def _content(descriptor: int) -> str:
    with open(descriptor, "rb", closefd=False) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _remove_unused(path: Path) -> bool:
    """Whether path, a file or a folder that nobody holds a lock on, has been removed."""
    try:
        descriptor = _open(path, os.O_RDONLY)
    except (OSError, BackendUnavailable):
        return False
    try:
        _lock(descriptor, wait=False)
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            shutil.rmtree(path)
        else:
            path.unlink()
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True
