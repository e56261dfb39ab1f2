"""The cache of compiled kernels gives out nothing that another could have put or changed there."""

from __future__ import annotations

import multiprocessing
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from truestep.fast.ours import cache
from truestep.fast.protocol import BackendUnavailable

KEY = cache.key("sources", "flags")


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where the cache of this test lies; not made yet."""
    monkeypatch.setenv("TRUESTEP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Maker:
    """Makes a file with the given bytes and counts how often."""

    def __init__(self, content: bytes = b"code") -> None:
        self.content = content
        self.calls = 0

    def __call__(self, path: Path) -> None:
        """Make the file."""
        self.calls += 1
        path.write_bytes(self.content)


def taken(make: Callable[[Path], None], key: str = KEY, suffix: str = ".so") -> Path:
    """The path of a file that is not held."""
    with cache.opened().entry("kernels", key, suffix, make) as entry:
        return entry.path


def names(folder: Path) -> list[str]:
    """What is in the folder."""
    return sorted(path.name for path in folder.iterdir())


def test_the_folder_is_made_for_its_owner_alone(folder: Path) -> None:
    """Mode 0700 for the folder and for what is in it, whatever the process's mask."""
    before = os.umask(0)
    try:
        path = taken(Maker())
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o077 == 0


def test_the_folder_follows_the_environment(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """$TRUESTEP_CACHE before $XDG_CACHE_HOME/truestep before ~/.cache/truestep."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache.opened().folder == folder
    monkeypatch.delenv("TRUESTEP_CACHE")
    assert cache.opened().folder == tmp_path / "xdg" / "truestep"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache.opened().folder == tmp_path / "home" / ".cache" / "truestep"


def test_a_file_is_made_once(folder: Path) -> None:
    """Again for another key or suffix only; nothing else is left in the folder."""
    make = Maker()
    path = taken(make)
    assert (taken(make), make.calls) == (path, 1)
    others = [taken(make, cache.key("other")), taken(make, suffix=".o")]
    assert make.calls == 3
    assert names(folder) == sorted(p.name for p in (path, *others))
    assert re.fullmatch(rf"kernels-{KEY}-[0-9a-f]{{64}}\.so", path.name)


def test_keys_tell_parts_apart() -> None:
    """Two lists of parts with the same concatenation have two keys."""
    assert cache.key("ab", "c") != cache.key("a", "bc") != cache.key("abc")


def test_a_failed_build_leaves_nothing(folder: Path) -> None:
    """Neither a part of a file nor a lock, and the next attempt starts afresh."""

    def broken_off(path: Path) -> None:
        path.write_bytes(b"half")
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        taken(broken_off)
    assert names(folder) == []
    assert taken(Maker()).read_bytes() == b"code"


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "a bit": lambda content: content[:-1] + bytes([content[-1] ^ 1]),
    "its end": lambda content: content[: len(content) // 2],
    "everything": lambda content: b"",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_file_is_made_anew(folder: Path, change: Callable[[bytes], bytes]) -> None:
    """Altered, torn or emptied: it is not given out, and is gone afterwards."""
    path = taken(Maker())
    path.write_bytes(change(path.read_bytes()))
    make = Maker()
    assert taken(make).read_bytes() == b"code"
    assert make.calls == 1
    assert len(names(folder)) == 1


def test_a_folder_of_another_user_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is found by a user who does not own it; nothing is made."""
    cache.opened()
    monkeypatch.setattr(os, "geteuid", lambda: folder.stat().st_uid + 1)
    with pytest.raises(BackendUnavailable, match=r"cache belongs to user .*TRUESTEP_CACHE"):
        taken(Maker())
    assert names(folder) == []


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_folder_that_others_may_write_is_refused(folder: Path, mode: int) -> None:
    """The message names the folder, its mode and what to do."""
    path = taken(Maker())
    folder.chmod(mode)
    with pytest.raises(BackendUnavailable, match=rf"cache can be written .*{mode:04o}.*remove it"):
        taken(Maker())
    folder.chmod(0o755)
    assert taken(Maker()) == path


def test_a_folder_below_one_that_all_may_write_is_refused(folder: Path) -> None:
    """Unless only owners may rename what is in it."""
    folder.parent.chmod(0o777)
    with pytest.raises(BackendUnavailable, match=r"can be replaced by other users.*0777"):
        taken(Maker())
    folder.parent.chmod(0o1777)
    assert taken(Maker()).is_file()


def test_a_linked_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    """Its target may be anybody's; a link above the folder is resolved."""
    (tmp_path / "real").mkdir(mode=0o700)
    folder.symlink_to(tmp_path / "real")
    with pytest.raises(BackendUnavailable, match=r"cache is a link, which is not followed"):
        taken(Maker())
    assert names(tmp_path / "real") == []


def test_a_file_of_another_user_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in a folder that is the user's own."""
    path = taken(Maker())
    theirs = os.stat(path).st_uid + 1
    real = os.fstat

    def fstat(descriptor: int) -> os.stat_result:
        status = real(descriptor)
        if status.st_ino != path.stat().st_ino:
            return status
        return os.stat_result([*status[:4], theirs, *status[5:]])

    monkeypatch.setattr(os, "fstat", fstat)
    with pytest.raises(BackendUnavailable, match=rf"{path.name} belongs to user {theirs}"):
        taken(Maker())


def test_a_file_that_others_may_write_is_refused(folder: Path) -> None:
    """Its content may change between the check and the use."""
    path = taken(Maker())
    path.chmod(0o722)
    with pytest.raises(BackendUnavailable, match=rf"{path.name} can be written by other.*0722"):
        taken(Maker())


@pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
def test_what_is_no_file_is_refused(folder: Path, tmp_path: Path, kind: str) -> None:
    """A link even to the right bytes, and a pipe without waiting for its writer."""
    path = taken(Maker())
    path.rename(tmp_path / "elsewhere")
    if kind == "link":
        path.symlink_to(tmp_path / "elsewhere")
    elif kind == "folder":
        path.mkdir()
    else:
        os.mkfifo(path, 0o600)
    with pytest.raises(BackendUnavailable, match=rf"{path.name} is (a link|not a plain file)"):
        taken(Maker())


def test_a_linked_lock_is_refused(folder: Path, tmp_path: Path) -> None:
    """Opening it for writing would make a file wherever it points."""
    (cache.opened().folder / f"kernels-{KEY}.lock").symlink_to(tmp_path / "made")
    with pytest.raises(BackendUnavailable, match=r"\.lock is a link"):
        taken(Maker())
    assert not (tmp_path / "made").exists()


def build_slowly(log: str) -> None:
    """Take the same file as every other process; note each build in the log."""

    def make(path: Path) -> None:
        with open(log, "a", encoding="utf-8") as file:
            file.write("made\n")
        for _ in range(20):
            with path.open("ab") as part:
                part.write(b"x" * 1000)
            time.sleep(0.005)

    with cache.opened().entry("kernels", KEY, ".so", make) as entry:
        assert entry.path.stat().st_size == 20000


# JAX, which another test may have loaded, warns of every fork; these children only write files.
@pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")
def test_processes_that_want_the_same_share_one_build(folder: Path, tmp_path: Path) -> None:
    """One of them makes it; all get the whole file; no lock stays."""
    context = multiprocessing.get_context("fork")
    log = str(tmp_path / "log")
    processes = [context.Process(target=build_slowly, args=(log,)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 4
    assert Path(log).read_text(encoding="utf-8") == "made\n"
    assert len(names(folder)) == 1


def aged(path: Path, seconds: float) -> Path:
    """The path, last used so long ago."""
    then = time.time() - seconds
    os.utime(path, (then, then))
    return path


def test_what_is_old_is_removed_and_use_keeps_it_young(folder: Path) -> None:
    """The next build removes what was last used too long ago, and nothing else."""
    old, used = taken(Maker(), cache.key("old")), taken(Maker(), cache.key("used"))
    foreign = folder / "notes.txt"
    foreign.touch()
    for path in (old, used, foreign):
        aged(path, cache.MAX_AGE + 10)
    taken(Maker(), cache.key("used"))
    new = taken(Maker())
    assert names(folder) == sorted(p.name for p in (used, foreign, new))


def test_beyond_the_total_the_longest_unused_go(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the rest fits."""
    paths = [aged(taken(Maker(b"x" * 100), cache.key(str(i))), 1000 - i) for i in range(5)]
    monkeypatch.setattr(cache, "MAX_BYTES", 350)
    new = taken(Maker(b"x" * 100))
    assert names(folder) == sorted(p.name for p in (*paths[-2:], new))


def test_what_is_in_use_is_never_removed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither for its age nor for the total; once released it goes."""
    monkeypatch.setattr(cache, "MAX_BYTES", 0)
    entry = cache.opened().entry("kernels", KEY, ".so", Maker())
    aged(entry.path, 2 * cache.MAX_AGE)
    cache.opened().prune()
    assert entry.path.read_bytes() == b"code"
    entry.release()
    cache.opened().prune()
    assert names(folder) == []


def test_what_kills_have_left_is_removed(folder: Path) -> None:
    """Locks and scratch folders that nobody holds; a scratch folder in use stays, however old."""
    kept = cache.opened()
    (folder / f"kernels-{KEY}.lock").touch()
    left = folder / "making-left"
    left.mkdir()
    (left / "part.s").write_text("half")
    aged(left, 2 * cache.SCRATCH_AGE)
    with kept.scratch() as scratch:
        aged(scratch, 2 * cache.SCRATCH_AGE)
        kept.prune()
        assert names(folder) == [scratch.name]
    assert names(folder) == []
