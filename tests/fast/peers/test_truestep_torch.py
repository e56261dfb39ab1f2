"""Our own classes for torch as objects with a life: every law of theirs."""

import pytest

pytest.importorskip("torch", reason="torch is not installed")

from truestep.fast.peers.truestep_torch.backend import LIVES, Backend
from truestep.properties.run.plan import checks_of, run_check

CHECKS = {
    check.id: check
    for check in checks_of(Backend())
    if check.kind == "life" and check.capability.variant in ("AdamW_8bit", "SGD_float32")
}


@pytest.mark.parametrize("name", CHECKS)
def test_a_law_of_lives_holds(name: str) -> None:
    """Of a class with moments as codes, and of one that keeps them in float32."""
    result = run_check(Backend(), CHECKS[name], level="smoke", seed=1)
    assert result.verdict == "pass", result.message


def test_every_class_is_offered_in_every_way_to_keep_its_state() -> None:
    """Nine classes, four ways."""
    assert len({life.variant for life in LIVES}) == len(LIVES) == 36
