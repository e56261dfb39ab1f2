"""Training-loop pieces of torch and optax: the checks that they pass, or fail as a finding says."""

from __future__ import annotations

import fnmatch
from typing import Any

import pytest

from truestep.fast.peers import optax_training, torch_training
from truestep.fast.peers.training_findings import TRAINING_FINDINGS
from truestep.properties import exploration, training_checks
from truestep.properties.plan import Check, run_check
from truestep.properties.results import check_id


@pytest.fixture(autouse=True)
def _unsimplified(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exploration, "SHRINKING", 0.0)


def verdicts(backend: Any) -> dict[str, str]:
    """The smoke verdicts of a backend's training checks."""
    return {
        check_id(capability, name): run_check(
            backend,
            Check(check_id(capability, name), capability, name),
            level="smoke",
            seed=1,
        ).verdict
        for capability in backend.capabilities()
        if capability.kind == "training" and capability.level == "smoke"
        for name in training_checks.names(capability)
    }


def unexplained(found: dict[str, str]) -> list[str]:
    """Checks that do not pass and that no finding explains."""
    known = [finding.check_glob for finding in TRAINING_FINDINGS]
    return [
        name
        for name, verdict in found.items()
        if verdict != "pass" and not any(fnmatch.fnmatchcase(name, glob) for glob in known)
    ]


def test_torch_passes_but_for_the_findings() -> None:
    """Clipping passes everywhere; fused SGD keeps unwritten memory when first skipped."""
    torch = pytest.importorskip("torch")
    from truestep.fast.peers.torch_optim import Backend

    before = torch.get_num_threads()
    found = verdicts(Backend())
    torch.set_num_threads(before)
    assert unexplained(found) == []
    skipped = "training/dynamic_loss_scaling/float32/{}/law:a_skipped_step_changes_no_bit"
    assert found[skipped.format("fused")] == "fail"
    assert found[skipped.format("single")] == found[skipped.format("foreach")] == "pass"
    assert len({name.split("/")[1] for name in found}) == len({r.rule for r in torch_training.ROWS})


def test_optax_passes_but_for_the_findings() -> None:
    """Clipping passes everywhere; MultiSteps does not recover from nan."""
    pytest.importorskip("optax")
    from truestep.fast.peers.optax_peer import Backend

    found = verdicts(Backend())
    assert unexplained(found) == []
    for variant in ("mean", "sum"):
        assert found[f"training/gradient_accumulation/float32/{variant}/sequence"] == "fail"
    assert len({name.split("/")[1] for name in found}) == len({r.rule for r in optax_training.ROWS})
