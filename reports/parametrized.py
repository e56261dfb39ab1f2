"""A backend's checks as tests of one's own: what ``truestep.parametrize`` is."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from truestep.fast import discovery
from truestep.fast.protocol import Backend, Level
from truestep.properties.judge.results import CheckResult
from truestep.properties.run.plan import Check, checks_of, chosen, run_check
from truestep.properties.run.remote import PATIENCE, Remote
from truestep.reference import own


@dataclass(frozen=True, slots=True)
class Judging:
    """One check of a backend, to be called by a test."""

    backend: Backend
    check: Check
    level: Level
    seed: int

    def __call__(self) -> CheckResult:
        """The result of a check that passes.

        Raises AssertionError with the counterexample of one that does not; skips the test where
        nothing was judged.
        """
        result = run_check(self.backend, self.check, level=self.level, seed=self.seed)
        if result.verdict in ("not_judged", "not_run"):
            pytest.skip(result.message or "not judged: nothing in it is certain")
        if result.verdict != "pass":
            raise AssertionError(f"{result.verdict}\n{result.message}")
        return result


def parametrize(
    backend: str | os.PathLike[str] | Backend | type[Backend],
    *,
    only: str | None = None,
    level: Level = "standard",
    seed: int = 0,
    rules: Sequence[str] = (),
) -> pytest.MarkDecorator:
    """A decorator that makes a test with the argument ``check`` into one for each of a backend's.

        @truestep.parametrize(MyBackend())
        def test_kernel(check):
            check()

    backend, only, level, seed and rules are those of `truestep.certify`: what is named is judged in
    a process of its own, an object in this one. A test's id is the backend's name and the check's.
    """
    made: Backend
    own.load(*rules)
    if isinstance(backend, (str, os.PathLike)):
        made = Remote(str(backend), PATIENCE[level])
    else:
        made = backend() if isinstance(backend, type) else backend
        discovery.check(made, repr(backend))
    return pytest.mark.parametrize(
        "check",
        [
            pytest.param(Judging(made, check, level, seed), id=f"{made.name}/{check.id}")
            for check in chosen(made.name, checks_of(made), only)
        ],
    )
