"""The fixture `truestep` of pytest: what judges, under the options of the run.

    def test_my_step(truestep):
        truestep.assert_step("adamw", {"lr": 1e-3}, before, after)

    def test_my_kernel(truestep):
        truestep.assert_conforms(MyBackend(), only="*/strata")

The level, the seed and the limits are those of the command line (--truestep-level, ...), of the
environment (TRUESTEP_LEVEL, ...) or of the ini file (truestep_level, ...), in this order.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from truestep import testing

if TYPE_CHECKING:
    from truestep.fast.protocol import Backend, Level
    from truestep.properties.judge.results import CheckResult
    from truestep.properties.settings import Settings


@dataclass(frozen=True, slots=True)
class Session:
    """What judges in tests, and what the run was asked.

    backends: what --truestep-backend names. level, seed: of every search. max_examples: the most
    cases of each check, timeout: the most seconds; None where there is no limit.
    """

    backends: tuple[str, ...]
    level: Level
    seed: int
    max_examples: int | None
    timeout: float | None

    @classmethod
    def of(cls, asked: Settings) -> Session:
        """Under these options."""
        return cls(asked.backends, asked.level, asked.seed, asked.cases, asked.seconds)

    assert_step = staticmethod(testing.assert_step)
    assert_schedule = staticmethod(testing.assert_schedule)
    assert_codes = staticmethod(testing.assert_codes)
    assert_stochastic = staticmethod(testing.assert_stochastic)
    bounds = staticmethod(testing.bounds)

    def assert_conforms(
        self, backend: str | os.PathLike[str] | Backend | type[Backend], *, only: str | None = None
    ) -> list[CheckResult]:
        """Judge every check of a backend, or those that match; what the checks found.

        backend, only: those of `truestep.certify`. Raises AssertionError with each check that does
        not pass and its counterexample, and where none is left that passes; skips the test where
        the backend cannot be run here.
        """
        import pytest

        from truestep.fast.protocol import BackendUnavailable
        from truestep.reports.parametrized import judgings

        try:
            each = judgings(
                backend, only=only, level=self.level, seed=self.seed,
                max_examples=self.max_examples, timeout=self.timeout,
            )  # fmt: skip
        except BackendUnavailable as reason:
            pytest.skip(f"not run: {reason}")
        try:
            results = [judging.result() for judging in each]
        finally:
            if isinstance(backend, (str, os.PathLike)):
                each[0].backend.close()  # type: ignore[attr-defined]  # it is a Remote
        wrong = [r for r in results if r.verdict in ("fail", "crashed", "error")]
        if wrong:
            head = f"{len(wrong)} of {len(results)} checks do not pass"
            told = [f"{r.id}: {r.verdict}\n{r.message}" for r in wrong]
            raise AssertionError("\n\n".join([head, *told]))
        if not any(r.verdict == "pass" for r in results):
            told = [f"{r.id}: {r.message or 'nothing in it is certain'}" for r in results]
            raise AssertionError("\n".join(["nothing was judged", *told]))
        return results
