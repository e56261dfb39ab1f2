"""A backend's checks as tests of one's own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import truestep
from truestep.fast.protocol import OptimizerCapability, Stepped


class Sgd:
    """Plain SGD in float32, whose rate is off by a factor."""

    name = "mine"

    def __init__(self, factor: float = 1.0) -> None:
        self.factor = factor

    def capabilities(self) -> list[OptimizerCapability]:
        """Robbins and Monro's step."""
        return [OptimizerCapability(rule="robbins_monro")]

    def optimizer_step(self, _: object, groups: list[truestep.Group]) -> list[list[Stepped]]:
        """Not called here."""
        raise NotImplementedError


def test_one_test_for_each_check() -> None:
    """Named by the backend and the check."""
    mark = truestep.parametrize(Sgd, only="*/law:*")
    name, values = mark.args
    assert name == "check"
    assert values
    assert all(value.id.startswith("mine/optimizer/robbins_monro/") for value in values)
    assert all("/law:" in value.id for value in values)


def test_nothing_that_matches_is_an_error() -> None:
    """With a check that there is."""
    with pytest.raises(ValueError, match="no check of mine matches 'nothing'; one is 'optimizer/"):
        truestep.parametrize(Sgd(), only="nothing")


TESTS = """
import numpy as np
import truestep
from truestep.fast.protocol import ScheduleCapability


class Constant:
    name = "constants"

    def __init__(self, factor):
        self.factor = factor

    def capabilities(self):
        return [ScheduleCapability(rule="constant", format="float64", arithmetic="ieee_float64")]

    def schedule_values(self, capability, hyper, steps):
        return np.full(len(steps), self.factor * hyper.lr)


@truestep.parametrize(Constant(1.0), level="smoke")
def test_right(check):
    assert check().verdict == "pass"


@truestep.parametrize(Constant(1.5), only="*/strata", level="smoke")
def test_wrong(check):
    check()
"""


def test_pytest_runs_them(tmp_path: Path) -> None:
    """A right backend passes, a wrong one fails with its counterexample."""
    (tmp_path / "test_mine.py").write_text(TESTS)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout
    assert "1 failed" in done.stdout
    assert "test_wrong[constants/schedule/constant/float64/strata]" in done.stdout
    assert "due is" in done.stdout
