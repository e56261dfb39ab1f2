"""Strata of schedules: real lengths are asked for, and no hyperparameter can be ignored."""

import contextlib
import dataclasses

import pytest

from truestep.fast.protocol import ScheduleCapability
from truestep.properties.kinds.schedule import strata
from truestep.properties.kinds.table import KINDS
from truestep.properties.museum.plant import Kernel
from truestep.properties.run.plan import run_check
from truestep.reference.schedules import SCHEDULES

pytestmark = pytest.mark.power


def _verdict(backend, seed):
    [capability] = backend.capabilities()
    [check] = [c for c in KINDS["schedule"].checks(capability) if c.name == strata.NAME]
    return run_check(backend, check, level="smoke", seed=seed, told=False)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("name", SCHEDULES)
def test_the_definition_itself_passes(name, seed):
    """In float64, over all lengths."""
    found = _verdict(Kernel(name), seed)
    assert found.verdict == "pass", found.message


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_lengths_reach_those_of_real_runs(seed):
    """From fewer than a hundred steps to a hundred thousand and more."""
    cases = strata.made(ScheduleCapability(rule="linear_warmup_cosine"), seed)
    totals = [case.hyper["total_steps"] for case in cases if "total_steps" in case.hyper]
    assert min(totals) < 100
    assert max(totals) > 100_000
    assert sum(1000 < total < 100_000 for total in totals) >= 3


class Wrong:
    """A schedule's own lines, with hyperparameters or values changed."""

    def __init__(self, name, *, frozen="", dialect=None, factor=lambda h, t: 1.0):
        self.kernel, self.frozen, self.factor = Kernel(name, dialect=dialect or {}), frozen, factor
        self.name = self.kernel.name
        fields = {f.name: f.default for f in dataclasses.fields(SCHEDULES[name].Hyper)}
        self.changes = {frozen: fields[frozen]} if frozen else {}

    def capabilities(self):
        """The kernel's."""
        return self.kernel.capabilities()

    def schedule_values(self, capability, hyper, steps):
        """The kernel's values, wrong."""
        with contextlib.suppress(ValueError):
            hyper = dataclasses.replace(hyper, **self.changes)
        values = self.kernel.schedule_values(capability, hyper, steps)
        return [x * self.factor(hyper, t) for x, t in zip(values, steps, strict=True)]


def _dialects(name):
    yield {}
    for field, choices in SCHEDULES[name].DIALECTS.items():
        yield from ({field: choice} for choice in choices)


@pytest.mark.parametrize("name", SCHEDULES)
def test_no_hyperparameter_can_be_ignored(name):
    """In some dialect each shows, with the first seed that is tried."""
    ranges = SCHEDULES[name].Hyper.RANGES
    ignored = {
        field
        for field in ranges
        if all(
            _verdict(Wrong(name, frozen=field, dialect=dialect), 0).verdict == "pass"
            for dialect in _dialects(name)
        )
    }
    assert ignored == set()


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(
    ("name", "factor"),
    [
        ("cosine", lambda h, t: 1.5 if h.total_steps > 128 else 1.0),
        ("multi_step", lambda h, t: 1.5 if len(h.milestones) > 5 else 1.0),
        ("exponential", lambda h, t: 1.5 if h.gamma > 0.995 else 1.0),
        ("linear_warmup_cosine", lambda h, t: 1.5 if h.warmup_steps > 1000 else 1.0),
    ],
)
def test_what_is_wrong_of_long_runs_alone_is_found(name, factor, seed):
    """Lengths, milestones and decays of real runs, with any seed."""
    assert _verdict(Wrong(name, factor=factor), seed).verdict == "fail"
