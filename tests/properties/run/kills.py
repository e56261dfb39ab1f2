"""Signals sent to a run, its judges and its backends, at random moments.

python tests/properties/run/kills.py COUNT SEED [SECONDS] sends so many, and prints what came of
them; of those that stop a process, SECONDS says for how long.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from truestep.properties.run.pool import Done, certify_all
from truestep.properties.run.warden import children, marked

HERE = Path(__file__).parent
SPEC = f"{HERE / 'misbehaving.py'}:Healthy"
# The laws, and how the process was left: many short checks.
ONLY = "*l[ae][wf]*"
MARK = "TRUESTEP_TEST"
ROLES = ("run", "judge", "backend")
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP)
# Within so many seconds of its beginning a run is hit; the quickest ends a little later.
WINDOW = 4.0
# What a run that is gone may need to end what it has left.
GRACE = 10.0


@dataclass(frozen=True)
class Hit:
    """A signal, whom it is for, when, and how long a stopped process stays so, in seconds."""

    role: str
    signal: signal.Signals
    after: float
    stopped: float = 1.0


def drawn(rng: random.Random, stopped: float = 1.0) -> Hit:
    """Any of them."""
    return Hit(rng.choice(ROLES), rng.choice(SIGNALS), rng.uniform(0, WINDOW), stopped)


def victims(run: int, role: str) -> list[int]:
    """The processes of a run that have a role."""
    if role == "run":
        return [run]
    judges = [pid for pid, command in children(run).items() if "run.worker" in command]
    if role == "judge":
        return judges
    return [
        pid for judge in judges for pid, text in children(judge).items() if "host.serve" in text
    ]


def problems(hit: Hit, due: set[str]) -> list[str]:
    """What a run that is hit, and going on from where it ended, do otherwise than is due.

    due: ids of the checks of the backend, all of which it passes.
    """
    with tempfile.TemporaryDirectory() as folder:
        journal, temporary = Path(folder, "journal"), Path(folder, "temporary")
        temporary.mkdir()
        mark = f"kills-{os.getpid()}-{os.urandom(8).hex()}"
        environment = {**os.environ, MARK: mark, "TMPDIR": str(temporary)}
        first = _run(journal, environment, hit)
        found = _left(mark, temporary)
        if hit.role != "run" or hit.signal == signal.SIGSTOP:
            if first != 0:
                found.append(f"the run ended with status {first}")
        elif first != 0:
            found += [f"went on: status {x}" for x in [_run(journal, environment)] if x]
            found += _left(mark, temporary)
        results = [json.loads(line) for line in journal.read_text().splitlines()]
    counts = Counter(name for name, _, _ in results)
    found += [f"{name}: {verdict}: {text}" for name, verdict, text in results if verdict != "pass"]
    found += [f"{name}: {counts[name]} results" for name in sorted(due) if counts[name] != 1]
    return [f"{hit}: {line}" for line in found]


def _run(journal: Path, environment: dict[str, str], hit: Hit | None = None) -> int:
    """The exit status of a run, which is hit where somebody has the role at the time."""
    with subprocess.Popen(
        [sys.executable, __file__, "run", str(journal)], env=environment, stderr=subprocess.PIPE
    ) as run:
        if hit is not None:
            time.sleep(hit.after)
            for pid in victims(run.pid, hit.role)[:1] if run.poll() is None else []:
                _strike(pid, hit)
        _, told = run.communicate()
    if run.returncode > 0:
        sys.stderr.write(told.decode(errors="backslashreplace"))
    return run.returncode


def _strike(pid: int, hit: Hit) -> None:
    try:
        os.kill(pid, hit.signal)
        if hit.signal == signal.SIGSTOP:
            time.sleep(hit.stopped)
            os.kill(pid, signal.SIGCONT)
    except ProcessLookupError:
        return  # it has ended before


def _left(mark: str, temporary: Path) -> list[str]:
    """Processes and files that a run has left, when it has had time to end them."""
    until = time.monotonic() + GRACE
    while (left := marked(MARK, mark)) and time.monotonic() < until:
        time.sleep(0.05)
    return [
        *(f"left running: {command}" for command in left.values()),
        *(f"left behind: {path.name}" for path in temporary.iterdir()),
    ]


def run(journal: Path) -> None:
    """A run that writes each result as it comes, and leaves out what has been written."""
    earlier = journal.read_text().splitlines() if journal.exists() else []
    done = [json.loads(line)[0] for line in earlier]
    with journal.open("a", buffering=1) as file:
        [ended] = certify_all(
            [SPEC],
            only=ONLY, level="smoke", workers=2, patience=20.0,
            done={SPEC: dict.fromkeys(done, Done())},
            on_result=lambda _, r: print(json.dumps([r.id, r.verdict, r.message]), file=file),
        )  # fmt: skip
    if ended.error is not None:
        raise ended.error


def checks() -> set[str]:
    """The ids of the backend's checks, of a run that nobody hits."""
    [ended] = certify_all([SPEC], only=ONLY, level="smoke", workers=2)
    return {result.id for result in ended.results}


def main(count: int, seed: int, stopped: float = 1.0) -> None:
    """Print how many were hit of each kind, and all that was not as due."""
    hits = [drawn(random.Random(seed + number), stopped) for number in range(count)]
    due = checks()
    with ThreadPoolExecutor(3) as pool:
        found = [line for lines in pool.map(lambda hit: problems(hit, due), hits) for line in lines]
    print(dict(Counter(f"{hit.signal.name} to a {hit.role}" for hit in hits)))
    print("\n".join(found) or "all as due")


if __name__ == "__main__":
    if sys.argv[1] == "run":
        run(Path(sys.argv[2]))
    else:
        main(int(sys.argv[1]), int(sys.argv[2]), *map(float, sys.argv[3:]))
