from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from truestep.fast.discovery import BrokenBackend, UnknownBackend, load
from truestep.fast.protocol import Capability, Group, Stepped
from truestep.properties.judge.results import CheckResult
from truestep.properties.museum.plant import Kernel
from truestep.properties.run import plan, worker
from truestep.properties.run import pool as runner
from truestep.properties.run.plan import checks_of, run_check
from truestep.properties.run.pool import certify

FILE = Path(__file__).with_name("misbehaving.py")
# Longer than a case of small tensors takes on a machine that does much else, short for a test.
PATIENCE = 1.5

# Verdict of the one check that meets the misbehaviour, and what its message says.
EXPECTED = {
    "counts_wrong": ("fail", "t is 16777216 after a step from"),
    "dtype": ("fail", "param has dtype float64, expected float32"),
    "exit": ("crashed", "exited with status 7"),
    "hang": ("crashed", "no answer within 1.5 s"),
    "loses_state": ("fail", "state 'b' is missing"),
    "not_arrays": ("fail", "param must be an ndarray, got list"),
    "prints": ("pass", ""),
    "raises": ("crashed", "ZeroDivisionError: no counter beyond 2^24"),
    "segfault": ("crashed", "died of SIGSEGV"),
    "shape": ("fail", "param has shape"),
    "too_few": ("fail", "slots back for"),
    "writes_input": ("fail", "wrote its input grad"),
}


@contextmanager
def _captured_stdout() -> Iterator[list[bytes]]:
    """What reaches descriptor one of this process and of those it starts."""
    seen: list[bytes] = []
    with tempfile.TemporaryFile() as file:
        kept = os.dup(1)
        os.dup2(file.fileno(), 1)
        try:
            yield seen
        finally:
            os.dup2(kept, 1)
            os.close(kept)
            file.seek(0)
            seen.append(file.read())


def test_misbehaviour_costs_one_check() -> None:
    """A crash, a hang or a broken protocol is the verdict of the check that met it alone."""
    streamed: list[CheckResult] = []
    with _captured_stdout() as printed:
        run = certify(
            f"{FILE}:Backend",
            only="optimizer/sgd/float32/*/counter*",
            level="smoke",
            patience=PATIENCE,
            workers=2,
            on_result=streamed.append,
        )
    assert run.results == streamed
    by_check = {(result.variant, result.check): result for result in run.results}
    assert {check for _, check in by_check} == {"counter", "counter_beyond_float32"}
    for variant, (verdict, text) in EXPECTED.items():
        met = by_check[variant, "counter_beyond_float32"]
        assert (met.verdict, text in met.message) == (verdict, True), met.message
        if verdict != "pass":
            assert met.worst is not None
            assert "case" in met.worst
        intact = by_check[variant, "counter"]
        assert intact.verdict == "pass", intact.message
    assert printed == [b""]


def test_stale_memory_is_caught_where_gradients_are_nan() -> None:
    """Results that depend on the call before fail the checks with nan in them, and no others."""
    backend = load(f"{FILE}:Stale")
    checks = {check.name: check for check in checks_of(backend)}
    verdicts = {
        name: run_check(backend, checks[name], level="standard", seed=0, told=False).verdict
        for name in ("all_zero", "special_values")
    }
    assert verdicts == {"all_zero": "pass", "special_values": "fail"}


def test_a_capability_that_keeps_crashing_is_given_up() -> None:
    """Its further checks are listed as not run, not as passed."""
    run = certify(f"{FILE}:Fragile", only="optimizer/*", level="smoke", workers=1)
    verdicts = Counter(result.verdict for result in run.results)
    assert verdicts["crashed"] == runner.STRIKES and verdicts["not_run"] > 9
    given_up = [result for result in run.results if result.verdict == "not_run"]
    assert all("crashes of this capability" in result.message for result in given_up)


def test_a_backend_that_dies_while_loading_is_broken() -> None:
    """Nothing can be judged: an error with the exit status, not a report without checks."""
    with pytest.raises(BrokenBackend, match="exited with status 3"):
        certify(f"{FILE}:DiesOnImport", workers=1)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"backend": "no_such_backend"}, UnknownBackend, "no_such_backend"),
        ({"backend": f"{FILE}:Backend", "only": "nothing/at/all"}, ValueError, "nothing/at/all"),
        ({"backend": "cpu", "level": "slow"}, ValueError, "smoke, standard, deep; got 'slow'"),
    ],
)
def test_what_cannot_run_is_said(
    arguments: dict[str, str], error: type[Exception], text: str
) -> None:
    """Unknown backends, globs that match nothing and unknown levels are errors, not passes."""
    with pytest.raises(error, match=text):
        certify(**arguments, workers=1)  # type: ignore[arg-type]


def test_an_exception_of_the_judges_own_blames_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Verdict "error", with what was raised and where."""
    backend = Kernel("sgd")
    monkeypatch.setattr(backend, "seen", lambda: ([], False), raising=False)
    first = checks_of(backend)[0].id
    asked, sent = iter([(first, False), None]), list[Any]()
    pipe = SimpleNamespace(recv=lambda: next(asked), send=sent.append)

    def broken(*_: object, **__: object) -> None:
        raise KeyError("ours")

    monkeypatch.setattr(plan, "run_check", broken)
    worker._run(pipe, backend, "spec", "smoke", 0)  # type: ignore[arg-type]
    [(kind, result, *_)] = sent
    assert (kind, result.verdict, result.id) == ("result", "error", first)
    assert "report it" in result.message and "KeyError: 'ours'" in result.message


def test_a_first_failure_ends_a_run_that_is_to_fail_fast() -> None:
    """What waits is not run, and says after what."""
    [run] = runner.certify_all(
        [f"{FILE}:Backend"], only="*/counter*", level="smoke", workers=1, fail_fast=True
    )
    verdicts = [result.verdict for result in run.results if result.kind == "optimizer"]
    first = verdicts.index("fail")
    assert set(verdicts[:first]) <= {"pass"} and set(verdicts[first + 1 :]) == {"not_run"}
    told = next(result.message for result in run.results if result.verdict == "not_run")
    assert told == f"not run after the first failure, {run.results[first].id}"


def test_what_was_left_before_a_run_was_stopped_counts_after_it() -> None:
    """The check of the conduct of a resumed run is that of an uninterrupted one."""
    chosen: dict[str, Any] = {"only": "*[ef][yo][ou]nd*", "level": "smoke", "workers": 1}
    spec = f"{FILE.with_name('hostile_leaking.py')}:Backend"
    [whole] = runner.certify_all([spec], **chosen)
    left = {r.id: runner.Done.of(r.extra) for r in whole.results}
    guilty = next(id for id, was in left.items() if was.left)
    [resumed] = runner.certify_all([spec], **chosen, done={spec: {guilty: left[guilty]}})
    before, after = whole.results[-1], resumed.results[-1]
    assert before.id == after.id == "process/conduct/left_as_found"
    assert (before.examples, before.verdict) == (after.examples, after.verdict)
    assert f"{left[guilty].left[0]}: {guilty}" in after.message


def test_crashes_before_a_run_was_stopped_count_after_it() -> None:
    """What is not run after so many crashes is the same, resumed or not."""
    chosen: dict[str, Any] = {"only": "optimizer/*", "level": "smoke", "workers": 1}
    spec = f"{FILE}:Fragile"
    [whole] = runner.certify_all([spec], **chosen)
    verdicts = {r.id: r.verdict for r in whole.results}
    crashes = [id for id, verdict in verdicts.items() if verdict == "crashed"]
    assert len(crashes) == runner.STRIKES and "not_run" in verdicts.values()
    done = {r.id: runner.Done.of(r.extra) for r in whole.results if r.id == crashes[0]}
    [resumed] = runner.certify_all([spec], **chosen, done={spec: done})
    assert {r.id: r.verdict for r in resumed.results} == {
        id: verdict for id, verdict in verdicts.items() if id not in done
    }


class Remembering(Kernel):
    """Answers of its first variant, which computes them, and nonsense where there is none."""

    def __init__(self) -> None:
        super().__init__("sgd")
        self.known: dict[str, Any] = {}

    def capabilities(self) -> Sequence[Capability]:
        return [Capability("optimizer", "sgd", variant=v) for v in ("computes", "remembers")]

    def optimizer_step(self, capability: Capability, groups: Sequence[Group]) -> Any:
        key = repr([
            (group.hyper, [(s.param.tobytes(), s.grad.tobytes(), s.state) for s in group.slots])
            for group in groups
        ])  # fmt: skip
        if capability.variant == "computes":
            self.known[key] = super().optimizer_step(capability, groups)
        return self.known.get(key) or [[Stepped(s.grad, s.state) for s in g.slots] for g in groups]


def test_an_implementation_is_given_cases_that_no_other_has_seen() -> None:
    """One that keeps the answers of another fails, though all its other cases are known to it."""
    backend = Remembering()
    chosen = [check for check in checks_of(backend) if check.name in ("combinations", "lockstep")]
    verdicts = {
        (check.capability.variant, check.name):
            run_check(backend, check, level="standard", seed=0, told=False).verdict
        for check in sorted(chosen, key=lambda check: check.capability.variant)
    }  # fmt: skip
    assert verdicts == {
        ("computes", "combinations"): "pass",
        ("computes", "lockstep"): "pass",
        ("remembers", "combinations"): "fail",
        ("remembers", "lockstep"): "pass",
    }
