"""The judge's process, a program of its own: it starts the backend's, and runs checks.

Most of the judge is imported once the backend's process has found what it is to load, while it
loads that: what is refused until then costs little.
"""

import gc
import json
import os
import signal
import sys
import time
import traceback
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from truestep.fast.host import confinement
from truestep.fast.locating import BrokenBackend, UnknownBackend
from truestep.fast.protocol import BackendUnavailable
from truestep.properties.run.hosted import Hosted, Lost
from truestep.reference import own

if TYPE_CHECKING:
    from truestep.fast.protocol import Level
    from truestep.properties.judge.results import Check
    from truestep.properties.judge.tally import Case
    from truestep.properties.run.remote import Remote

# Objects made before the collector of cycles looks for garbage: a judge makes many and few cycles,
# and looking as often as Python does takes a twentieth of its time.
_GARBAGE = 50_000
# Seconds between two signs of life. Cases are told every time only where a process before this one
# has died of one: many are judged in a hundredth of a second.
_SIGN = 0.5
# What is told of an exception that is not the backend's.
OURS = "an error of TrueStep itself, of which the backend is not to blame; please report it:"


def serve(
    parent: int,
    descriptor: int,
    spec: str,
    rules: list[list[str]],
    level: "Level",
    seed: int,
    patience: float,
) -> None:
    """Load the backend, then run checks until there is none.

    parent: the run's process. descriptor: of the pipe to it. rules: of one's own, which the run was
    given.
    """
    pipe = begun(parent, descriptor)
    host = Hosted(spec, rules)
    backend = loaded(pipe, spec, rules, patience, host)
    if backend is None:
        return
    _run(pipe, backend, spec, level, seed)
    backend.close()
    send(pipe, ("left", backend.seen()[0]))


def begun(parent: int, descriptor: int) -> Connection:
    """The pipe to the run's process, which ends this one; a backend cannot read its memory."""
    confinement.die_with_parent(parent)
    confinement.hide_memory()
    confinement.adopt()
    pipe = Connection(descriptor)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started this process ends it
    os.dup2(2, 1)
    return pipe


def loaded(
    pipe: Connection, spec: str, rules: list[list[str]], patience: float, host: Hosted
) -> "Remote | None":
    """The backend, announced with its checks; None where it cannot be had."""
    try:
        with suppress(Lost):  # which is started once more
            host.locate()
        backend, checks, declaration = _understood(spec, rules, patience, host)
    except Exception as reason:
        host.end()
        told = isinstance(reason, (BackendUnavailable, BrokenBackend, UnknownBackend))
        text = str(reason) if told else f"{spec}: {reason or type(reason).__name__}"
        send(pipe, ("failed", (type(reason) if told else BrokenBackend)(text)))
        return None
    send(pipe, ("ready", backend.name, checks, declaration))
    return backend


def _understood(
    spec: str, rules: list[list[str]], patience: float, host: Hosted
) -> "tuple[Remote, list[Check], str]":
    """The backend, its checks, and what was found of it where it was wrapped."""
    from truestep.properties.run import conduct
    from truestep.properties.run.plan import checks_of
    from truestep.properties.run.preflight import require_understood
    from truestep.properties.run.remote import Remote
    from truestep.properties.run.rounding import told

    own.load_same(rules)
    backend = Remote(spec, patience, host)
    checks = checks_of(backend)
    require_understood(spec, backend, checks)
    return backend, [*checks, conduct.check()], told(backend)


def _run(pipe: Connection, backend: "Remote", spec: str, level: "Level", seed: int) -> None:
    from truestep.properties.judge.records import named
    from truestep.properties.run.plan import checks_of, run_check

    checks = {check.id: check for check in checks_of(backend)}
    gc.freeze()
    gc.set_threshold(_GARBAGE)
    told: tuple[Case | None, float] = None, 0.0

    def started(case: "Case") -> None:
        nonlocal told
        new = closely and case is not told[0]
        if new or time.monotonic() - told[1] > _SIGN:
            told = case, time.monotonic()
            send(pipe, ("case", case))

    while (task := pipe.recv()) is not None:
        check, closely = checks[task[0]], task[1]
        try:
            told = None, 0.0
            result = run_check(backend, check, level=level, seed=seed, started=started)
        except Exception as error:
            text = "".join(traceback.format_exception(error))
            rule = own.OWN.get(check.rule)
            whose = f"an error in judging by your rule {rule.file}:" if rule else OURS
            result = check.result("error", message=f"{whose}\n{text}")
        send(pipe, ("result", named(result, spec), *backend.seen()))


def send(pipe: Connection, message: object) -> None:
    """Send to a process that may be gone."""
    try:
        pipe.send(message)
    except (BrokenPipeError, OSError):
        return  # the reader notices that the other end is gone


if __name__ == "__main__":
    serve(*json.loads(sys.argv[1]))
