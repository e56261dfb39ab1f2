"""Schedules of libraries: their own calls, and the checks that they pass or fail."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from typing import Any

import pytest

from truestep.fast import discovery
from truestep.fast.peers.findings import FINDINGS
from truestep.fast.protocol import BackendUnavailable, Capability
from truestep.properties.judge.results import CheckResult
from truestep.properties.run.plan import checks_of, matching, run_check
from truestep.reference.schedules import SCHEDULES


@pytest.fixture(scope="module")
def torch_backend() -> Any:
    """The backend "torch"."""
    pytest.importorskip("torch")
    from truestep.fast.peers.torch.backend import Backend

    return Backend()


@pytest.fixture(scope="module")
def optax_backend() -> Any:
    """The backend "optax"."""
    pytest.importorskip("optax")
    from truestep.fast.peers.optax.backend import Backend

    return Backend()


def results(backend: Any, names: str) -> dict[str, CheckResult]:
    """The smoke results of a backend's schedule checks whose names match."""
    chosen = [
        c for c in matching(checks_of(backend), "schedule/*") if fnmatch.fnmatch(c.name, names)
    ]
    return {c.id: run_check(backend, c, level="smoke", seed=0) for c in chosen}


def unexplained(found: Iterable[CheckResult]) -> list[str]:
    """Checks that do not pass and that no finding explains."""
    checks = [result.to_json() for result in found if result.verdict != "pass"]
    return [c["id"] for c in checks if not any(finding.explains(c) for finding in FINDINGS)]


def test_torch_values_pass_but_for_the_findings(torch_backend: Any) -> None:
    """Every scheduler's values, its whole runs and its end."""
    found = results(torch_backend, "[cepv]*")
    assert unexplained(found.values()) == []
    assert found["schedule/one_cycle/float64/two_linear/past_the_end"].verdict == "fail"


def test_optax_values_pass_but_for_the_findings(optax_backend: Any) -> None:
    """Every schedule's values in float32, and its end."""
    assert unexplained(results(optax_backend, "[pv]*").values()) == []


@pytest.mark.parametrize("library", ["keras", "pytorch_optimizer", "transformers"])
def test_values_of_other_libraries_pass_but_for_the_findings(library: str) -> None:
    """By the few examples of "values"; some fail, as a finding of that library says."""
    try:
        backend = discovery.load(library)
    except BackendUnavailable as reason:
        pytest.skip(str(reason))
    found = results(backend, "values")
    own = [finding for finding in FINDINGS if finding.library == library]
    failing = [result.to_json() for result in found.values() if result.verdict != "pass"]
    assert [c["id"] for c in failing if not any(f.explains(c) for f in own)] == []
    assert len(failing) < len(found)


def test_a_torch_scheduler_steps_as_a_training_loop_does(torch_backend: Any) -> None:
    """The values are those of the optimizer's group before each update."""
    h = SCHEDULES["multi_step"].Hyper(lr=0.5, gamma=0.5, milestones=(2, 2, 4))
    capability = next(c for c in torch_backend.capabilities() if c.rule == "multi_step")
    got = torch_backend.schedule_values(capability, h, [0, 1, 2, 3, 4, 9])
    assert got == [0.5, 0.5, 0.125, 0.125, 0.0625, 0.0625]


def test_every_torch_row_names_a_scheduler_and_a_rule(torch_backend: Any) -> None:
    """The table's names exist; a recursive scheduler has a recursive form in the reference."""
    import torch

    from truestep.fast.peers.torch.schedules import ROWS

    for row in ROWS:
        assert hasattr(torch.optim.lr_scheduler, row.scheduler)
        assert not row.recursive or SCHEDULES[row.rule].advance
    declared = [c for c in torch_backend.capabilities() if c.kind == "schedule"]
    assert len(declared) == len(ROWS)


def test_what_a_library_refuses_is_said(torch_backend: Any, optax_backend: Any) -> None:
    """Hyperparameters outside a library's domain are unsupported, not wrong."""
    linear = Capability("schedule", "linear", format="float64")
    h = SCHEDULES["linear"].Hyper(start_factor=0.0, end_factor=1.0)
    with pytest.raises(BackendUnavailable, match="0 < start_factor"):
        torch_backend.schedule_values(linear, h, [0])
    warmup = Capability("schedule", "linear_warmup_cosine")
    h = SCHEDULES["linear_warmup_cosine"].Hyper(warmup_steps=5, total_steps=5)
    with pytest.raises(BackendUnavailable, match="at least one step"):
        optax_backend.schedule_values(warmup, h, [0])
    cosine = Capability("schedule", "cosine")
    with pytest.raises(BackendUnavailable, match="share of lr"):
        optax_backend.schedule_values(cosine, SCHEDULES["cosine"].Hyper(lr=0.0), [0])
