"""Training-loop pieces of libraries: the checks that they pass, or fail as a finding says."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Any

import pytest

from truestep.fast import discovery
from truestep.fast.peers.findings import FINDINGS
from truestep.fast.protocol import BackendUnavailable, Capability
from truestep.properties.judge.results import CheckResult
from truestep.properties.run.plan import checks_of, run_check
from truestep.properties.search import exploration
from truestep.reference.training import TRAINING


@pytest.fixture(autouse=True)
def _unsimplified(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exploration, "SIMPLER", 0)


def _backend(name: str) -> Any:
    try:
        return discovery.load(name)
    except BackendUnavailable as reason:
        pytest.skip(str(reason))


def results(backend: Any, *, without: Container[str] = ()) -> dict[str, CheckResult]:
    """The smoke results of a backend's training checks, but for these."""
    found = {
        check.id: run_check(backend, check, level="smoke", seed=1)
        for check in checks_of(backend)
        if check.kind == "training"
        and check.capability.level == "smoke"
        and check.name not in without
    }
    pieces = {c.rule for c in backend.capabilities() if c.kind == "training"}
    assert {name.split("/")[1] for name in found} == pieces
    return found


def unexplained(found: Iterable[CheckResult]) -> list[str]:
    """Checks that do not pass and that no finding explains."""
    checks = [result.to_json() for result in found if result.verdict != "pass"]
    return [c["id"] for c in checks if not any(finding.explains(c) for finding in FINDINGS)]


def test_torch_passes_but_for_the_findings() -> None:
    """Clipping and sums pass everywhere; fused SGD alone depends on what is in unwritten memory."""
    torch = pytest.importorskip("torch")
    from truestep.fast.peers.torch.backend import Backend

    before = torch.get_num_threads()
    found = results(Backend())
    torch.set_num_threads(before)
    assert unexplained(found.values()) == []
    skipped = "training/dynamic_loss_scaling/float32/{}/law:a_skipped_step_changes_no_bit"
    for variant in ("single", "foreach"):
        assert found[skipped.format(variant)].verdict == "pass"


def test_optax_passes_but_for_the_findings() -> None:
    """Clipping passes everywhere; MultiSteps and apply_every do not recover from nan."""
    pytest.importorskip("optax")
    from truestep.fast.peers.optax.backend import Backend

    # These have many shapes, and JAX compiles for each.
    found = results(Backend(), without=("strata", "values"))
    assert unexplained(found.values()) == []
    for variant in ("apply_every", "mean", "sum"):
        assert found[f"training/gradient_accumulation/float32/{variant}/sequence"].verdict == "fail"


def test_keras_passes_but_for_the_findings() -> None:
    """Scales grow to infinity, vanish or move; torch's path of sums does not recover from nan."""
    found = results(_backend("keras"))
    assert unexplained(found.values()) == []
    scale = "training/dynamic_loss_scaling/float32/law:scale_stays_within_its_limits"
    assert found[scale].verdict == "fail"
    assert found["training/delayed_scaling/float32/strata"].verdict == "fail"
    total = "training/gradient_accumulation/float32/{}/sequence"
    assert found[total.format("parallel")].verdict == "fail"
    assert found[total.format("generic")].verdict == "pass"


def test_mup_passes() -> None:
    """Rates and decays of all roles, also of widths that no memory would hold."""
    backend = _backend("mup")
    found = results(backend)
    assert {result.verdict for result in found.values()} == {"pass"}
    assert {name.split("/")[1] for name in found} == {"mup_adam", "mup_sgd"}
    for capability in backend.capabilities():
        piece = TRAINING[capability.rule]
        hyper = piece.Hyper(lr=0.5, weight_decay=0.25, fan_in=1 / 3, form="package")
        got = backend.training_piece(capability, hyper, {"role": "hidden"})
        assert got["lr"] == 1.5


def _averages(library: str) -> list[Capability]:
    return [
        capability
        for capability in _backend(library).capabilities()
        if capability.rule == "polyak_ruppert" and capability.format == "float32"
    ]


@pytest.mark.parametrize("library", ["keras", "optax", "torch"])
def test_averages_of_iterates_are_within_their_bounds(library: str) -> None:
    """Every function that averages: alone, and over several steps with starts in between."""
    backend, capabilities = _backend(library), _averages(library)
    assert capabilities
    for check in checks_of(backend):
        if check.capability in capabilities and check.name in ("lockstep", "update_alone"):
            result = run_check(backend, check, level="smoke", seed=0)
            assert result.verdict == "pass", result.message
