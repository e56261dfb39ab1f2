"""Our own classes for torch as objects with a life: every law of theirs."""

import pytest

pytest.importorskip("torch", reason="torch is not installed")

from truestep.fast.peers.truestep_torch.backend import LIVES, Backend
from truestep.properties.run.plan import checks_of, run_check

JUDGED = ("AdamW_8bit", "Adafactor_float32", "Muon_8bit", "SGD_float32")
CHECKS = {
    check.id: check
    for check in checks_of(Backend())
    if check.kind == "life" and check.capability.variant in JUDGED
}


@pytest.mark.parametrize("name", CHECKS)
def test_a_law_of_lives_holds(name: str) -> None:
    """Of classes with moments as codes, and of such that keep them in float32; of two that step by
    tensor.
    """
    result = run_check(Backend(), CHECKS[name], level="smoke", seed=1)
    assert result.verdict == "pass", result.message


def test_every_class_is_offered_in_every_way_to_keep_its_state() -> None:
    """Ten classes in four ways, and Adafactor in one."""
    assert len({life.variant for life in LIVES}) == len(LIVES) == 41
