"""Making the runs of a comparison in processes, with a journal that survives a kill at any moment.

A run follows from its key alone, so that what a journal holds is not made again, and a comparison
that was killed ends with the numbers of one that was not.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import connection
from pathlib import Path

from click import ClickException

from truestep.reports import environment, journal, strict
from truestep.reports.certificate import Record
from truestep.reports.compare import tuning
from truestep.reports.compare.outcome import Key, Outcome, of_json, to_json

STEM = "compare"
TRANSFORMER = "transformer"
_CONVEX = "truestep.reports.compare.convex"
_LANGUAGE = "truestep.reports.compare.language"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is compared: rules, problems, and the steps of a run on each problem."""

    rules: tuple[str, ...]
    steps: Mapping[str, int]

    @property
    def runs(self) -> int:
        """How many runs there are in all."""
        return len(self.rules) * len(self.steps) * tuning.RUNS

    def header(self) -> dict[str, object]:
        """The journal's first line; a run goes on only where all of it is the same."""
        return {
            "rules": list(self.rules),
            "steps": dict(self.steps),
            "suite": environment.suite()["version"],
        }


def run(key: Key, steps: int) -> Outcome:
    """One run, by the module of its problem."""
    module = _LANGUAGE if key.problem == TRANSFORMER else _CONVEX
    found: Outcome = importlib.import_module(module).run(key, steps)
    return found


def at_hand(folder: Path, plan: Plan) -> dict[Key, Outcome]:
    """What the journals in the folder hold of this plan's runs; raises where none is of it."""
    found: dict[Key, Outcome] = {}
    differing = f"no journal ({STEM}*{journal.ENDING}) in it"
    fits = False
    for path in journals(folder):
        header, lines = read(path)
        if header == plan.header():
            fits = True
            found.update(map(of_json, lines))
        else:
            differing = f"{path.name} is of other rules, problems, steps or version"
    if not fits:
        raise ClickException(f"--resume {folder}: {differing}")
    return found


def journals(folder: Path) -> list[Path]:
    """The journals of comparisons in the folder."""
    return sorted(folder.glob(f"{STEM}*{journal.ENDING}"))


def read(path: Path) -> tuple[Record, list[Record]]:
    """A journal's header and its lines, up to the first damaged one."""
    try:
        lines, _ = journal.intact(strict.content(path))
    except ValueError as error:
        raise ClickException(f"{path}: {error}") from error
    return lines[0]["header"], [line["check"] for line in lines[1:]]


def make(
    plan: Plan,
    folder: Path,
    found: dict[Key, Outcome],
    workers: int,
    told: Callable[[Key, Outcome], None],
) -> dict[Key, Outcome]:
    """Make every run of the plan that is not found yet, and journal it; all of them.

    The journals that were there are replaced once the new one holds what they held.
    """
    before = journals(folder)
    kept = journal.Journal(folder, STEM, plan.header())
    for key, outcome in found.items():
        kept.append(to_json(key, outcome))
    for path in before:
        path.unlink(missing_ok=True)
    try:
        for key, outcome in _made(plan, found, workers):
            found[key] = outcome
            kept.append(to_json(key, outcome))
            told(key, outcome)
        if kept.error:
            raise kept.error
    except BrokenProcessPool as error:
        raise ClickException("a process of the runs was killed; --resume goes on") from error
    finally:
        kept.close()
    return found


def _made(plan: Plan, found: Mapping[Key, Outcome], workers: int) -> Iterator[tuple[Key, Outcome]]:
    """Runs as they end; found has to hold each before the next is asked for. One worker: here."""
    if workers == 1:
        while (key := next(_due(plan, found), None)) is not None:
            yield key, run(key, plan.steps[key.problem])
        return
    waiting: dict[Future[Outcome], Key] = {}
    with _pool(workers) as pool:
        while True:
            under_way = set(waiting.values())
            for key in _due(plan, found):
                if key not in under_way and len(waiting) < 2 * workers:
                    waiting[pool.submit(run, key, plan.steps[key.problem])] = key
                    under_way.add(key)
            if not waiting:
                return
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                yield waiting.pop(future), future.result()


def _due(plan: Plan, found: Mapping[Key, Outcome]) -> Iterator[Key]:
    for problem in plan.steps:
        for rule in plan.rules:
            yield from tuning.due(problem, rule, found)


@contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Processes of one thread each, which end with this one however it ends."""
    # Two threads of two processes each on two cores run far slower than one of each.
    os.environ["OMP_NUM_THREADS"] = "1"
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _watch)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _watch() -> None:
    """End this process where its parent is killed, which its queue does not tell it.

    A key that stops the parent reaches this process too, which then ends its run and is told.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def end() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=end, daemon=True).start()
