"""Units of checks on executors, and on a Ray cluster of which a worker is killed."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import truestep as public
from truestep.properties.museum import FAULTS
from truestep.properties.museum.plant import Kernel
from truestep.reports import ray_engine
from truestep.reports.certificate import Certificate, read
from truestep.reports.merge import substance
from truestep.reports.spread import Need, Spread, Task

Call = Callable[..., tuple[int, str, str]]
PLAIN = f"{Path(__file__).parents[1] / 'properties' / 'run' / 'misbehaving.py'}:Healthy"


def test_an_object_on_threads_equals_the_object_alone() -> None:
    """With a failing check among them, counterexample and all."""
    made = FAULTS["adamw_decay_ignored"].backend()
    alone = public.certify(made, only="*[cz]*o*", level="smoke")
    with ThreadPoolExecutor(2) as executor:
        found = public.certify(made, only="*[cz]*o*", level="smoke", executor=executor)
    assert not found.passed
    assert substance(found.certificate) == substance(alone.certificate)


class Losing(Executor):
    """Runs what it is given, but loses every unit."""

    def __init__(self) -> None:
        self.calls = 0

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """The first call lists checks."""
        future: Future[Any] = Future()
        self.calls += 1
        if self.calls == 1:
            future.set_result(fn(*args, **kwargs))
        else:
            future.set_exception(RuntimeError("the node is gone\nfor good"))
        return future


def test_what_an_executor_loses_is_no_pass() -> None:
    """Errors of the suite's, with the reason; nothing is left out."""
    found = public.certify(Kernel("sgd"), only="*counter*", level="smoke", executor=Losing())
    assert found.certificate["verdict"] == "error" and not found.passed
    checks = found.certificate["checks"]
    assert {check["verdict"] for check in checks} == {"error"}
    assert "RuntimeError: for good" in checks[0]["message"]


def test_units_ask_for_what_their_checks_need() -> None:
    """The last glob that matches counts; checks with different needs are never in one unit."""
    asked: list[dict[str, float]] = []

    class Noting(Losing):
        pass

    executor = Noting()

    def executors(resources: Any) -> Executor:
        asked.append(dict(resources))
        return executor

    needs = [Need("*", {"CPU": 1.0}), Need("*counter_beyond*", {"GPU": 1.0})]
    task = Task(Kernel("sgd"), "*counter*", "smoke", 0)
    results: list[Any] = []
    Spread([task], executors, needs=needs, units=2).certify_all(
        on_result=lambda _, result: results.append(result)
    )
    assert asked[0] == {"CPU": 1.0} and {"GPU": 1.0} in asked[1:]
    assert len(results) > 1


@pytest.mark.parametrize("text", ["", "cuda/*", "cuda/* GPU", "cuda/* GPU=x", "cuda/* GPU=-1"])
def test_needs_that_make_no_sense_are_refused(truestep: Call, text: str) -> None:
    """With the text."""
    status, _, err = truestep("certify", "cpu", "--engine", "ray", "--needs", text)
    assert status == 2 and repr(text) in err and len(err.splitlines()) == 1


def test_ray_that_is_not_installed_is_one_line(
    truestep: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which says what installs it."""
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    ray_engine.started.cache_clear()
    status, _, err = truestep("certify", "cpu", "--engine", "ray")
    assert status == 2 and "pip install 'truestep[ray]'" in err and len(err.splitlines()) == 1


@pytest.fixture
def cluster() -> Iterator[Any]:
    """A Ray cluster of this machine's own."""
    ray = pytest.importorskip("ray", reason="Ray is an extra")
    if not hasattr(ray, "init"):  # a folder of that name
        pytest.skip("Ray is an extra")
    ray_engine.started.cache_clear()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield ray
    ray.shutdown()
    ray_engine.started.cache_clear()


def _units() -> list[int]:
    """Processes of workers that are at a unit: Ray names them so."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "cmdline").read_bytes().startswith(b"ray::unit"):
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def _kill_one(killed: list[int]) -> None:
    """Kill a worker in the middle of a unit."""
    end = time.monotonic() + 60
    while not killed and time.monotonic() < end:
        for pid in _units()[:1]:
            time.sleep(0.5)
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)
        time.sleep(0.05)


@pytest.mark.power
def test_a_campaign_on_ray_with_a_worker_killed_equals_one_machine(
    truestep: Call, cluster: Any
) -> None:
    """Two backends; what the worker had was run again elsewhere."""
    chosen = ("--only", "optimizer/sgd/*counter*", "--level", "smoke")
    backends = ("reference", PLAIN)
    whole: dict[str, Certificate] = {}
    assert truestep("certify", *backends, *chosen, "--out", "o", "-n", "1")[0] == 0
    whole = {path.name: substance(read(path)) for path in _certificates("o")}
    killed: list[int] = []
    killer = threading.Thread(target=_kill_one, args=(killed,))
    killer.start()
    status, _, err = truestep("certify", *backends, *chosen, "--out", "r", "--engine", "ray")
    killer.join()
    assert status == 0 and killed, err
    assert {path.name: substance(read(path)) for path in _certificates("r")} == whole


def _certificates(folder: str) -> list[Path]:
    return sorted(Path(folder).glob("*.json"))
