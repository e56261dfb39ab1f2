"""Judging a backend from Python: what ``truestep.certify`` is."""

import os
from collections.abc import Sequence
from concurrent.futures import Executor

from truestep.fast.protocol import Backend, Level
from truestep.reference import own
from truestep.reports import spread
from truestep.reports.judged import Judged, run_here


def certify(
    backend: str | os.PathLike[str] | Backend | type[Backend],
    *,
    only: str | None = None,
    level: Level = "standard",
    seed: int = 0,
    workers: int = 0,
    executor: Executor | None = None,
    rules: Sequence[str] = (),
) -> Judged:
    """Judge a backend: a name, "package.module:Name" or "file.py:Name", or an object or class.

    What is named is judged in processes of its own, workers of them (0: one per processor), so that
    a crash costs one check. An object is judged in this process, because no other could load it.
    only: a glob of check ids. level: "smoke", "standard" or "deep". executor: any of
    concurrent.futures, which judges units of a few checks where its processes are: what is named in
    processes of its own there, an object, which is sent there, in the executor's. rules: of one's
    own, "file.py" or "package.module". Raises UnknownBackend or BrokenBackend of
    truestep.fast.discovery, and ValueError for what matches no check or is no rule.
    """
    own.load(*rules)
    named = str(backend) if isinstance(backend, os.PathLike) else backend
    if executor is not None:
        return spread.certify(spread.Task(named, only, level, seed), executor)
    return run_here(named, only, level, seed, workers=workers)
