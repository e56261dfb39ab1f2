"""What calls leave behind: a pool that a library keeps is none of it."""

from __future__ import annotations

import os
import threading

from truestep.fast.host.surroundings import Surroundings


def test_files_that_grow_from_call_to_call_are_told_once() -> None:
    """One more after each call, and a line at some time."""
    surroundings, opened, told = Surroundings(), [], []
    for _ in range(100):
        opened.append(os.open(os.devnull, os.O_RDONLY))
        told += surroundings.restored()
    for descriptor in opened:
        os.close(descriptor)
    assert len(told) == 1 and told[0].startswith("its open files, which grow from call to call")


def test_threads_that_grow_from_call_to_call_are_told_once() -> None:
    """Each waits for ever."""
    surroundings, told, end = Surroundings(), [], threading.Event()
    for _ in range(100):
        threading.Thread(target=end.wait, daemon=True).start()
        told += surroundings.restored()
    end.set()
    assert len(told) == 1 and told[0].startswith("its threads, which grow from call to call")


def test_a_pool_is_no_leak() -> None:
    """However large: it grows when it is made, and for some sizes more."""
    surroundings, opened, told = Surroundings(), [], []
    for call in range(200):
        if call % 20 == 0:
            opened += [os.open(os.devnull, os.O_RDONLY) for _ in range(50)]
        told += surroundings.restored()
    for descriptor in opened:
        os.close(descriptor)
    assert told == []
