"""A backend's checks as tests of one's own: what ``truestep.parametrize`` is."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from truestep.fast import discovery
from truestep.fast.protocol import Backend, Level
from truestep.properties.judge.results import CheckResult
from truestep.properties.run.hosted import PATIENCE
from truestep.properties.run.plan import Check, checks_of, chosen, run_check
from truestep.properties.run.remote import Remote
from truestep.properties.search.budget import UNLIMITED, Budget
from truestep.reference import own


@dataclass(frozen=True, slots=True)
class Judging:
    """One check of a backend, to be called by a test."""

    backend: Backend
    check: Check
    level: Level
    seed: int
    budget: Budget = UNLIMITED

    def result(self) -> CheckResult:
        """What the check finds, whatever it is."""
        return run_check(
            self.backend, self.check, level=self.level, seed=self.seed, budget=self.budget
        )

    def __call__(self) -> CheckResult:
        """The result of a check that passes.

        Raises AssertionError with the counterexample of one that does not; skips the test where
        nothing was judged.
        """
        result = self.result()
        if result.verdict in ("not_judged", "not_run"):
            pytest.skip(result.message or "not judged: nothing in it is certain")
        if result.verdict != "pass":
            raise AssertionError(f"{result.verdict}\n{result.message}")
        return result


def judgings(
    backend: str | os.PathLike[str] | Backend | type[Backend],
    *,
    only: str | None,
    level: Level,
    seed: int,
    max_examples: int | None,
    timeout: float | None,
) -> list[Judging]:
    """Every check of a backend that matches; the arguments are those of parametrize."""
    budget = Budget(max_examples, timeout)
    made: Backend
    if isinstance(backend, (str, os.PathLike)):
        made = Remote(str(backend), min(PATIENCE[level], timeout or float("inf")))
    else:
        made = backend() if isinstance(backend, type) else backend
        discovery.check(made, repr(backend))
    checks = chosen(made.name, checks_of(made), only)
    return [Judging(made, check, level, seed, budget) for check in checks]


def parametrize(
    backend: str | os.PathLike[str] | Backend | type[Backend],
    *,
    only: str | None = None,
    level: Level = "standard",
    seed: int = 0,
    max_examples: int | None = None,
    timeout: float | None = None,
    rules: Sequence[str] = (),
) -> pytest.MarkDecorator:
    """A decorator that makes a test with the argument ``check`` into one for each of a backend's.

        @truestep.parametrize(MyBackend())
        def test_kernel(check):
            check()

    backend, only, level, seed and rules are those of `truestep.certify`: what is named is judged in
    a process of its own, an object in this one. max_examples: the most cases of each check; a pass
    says less then than at the level. timeout: the most seconds; a check that runs out fails. A
    test's id is the backend's name and the check's.
    """
    own.load(*rules)
    found = judgings(
        backend, only=only, level=level, seed=seed, max_examples=max_examples, timeout=timeout
    )
    return pytest.mark.parametrize(
        "check", [pytest.param(each, id=f"{each.backend.name}/{each.check.id}") for each in found]
    )
