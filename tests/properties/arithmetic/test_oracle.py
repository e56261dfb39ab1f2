"""The float64 reference against mpmath: the oracle's own bound, under every contract."""

from __future__ import annotations

import numpy as np
import pytest

from truestep.properties.soundness import exactly
from truestep.properties.soundness.bounded import RULES, choices
from truestep.reference.optimizers import OPTIMIZERS


@pytest.mark.parametrize("name", RULES)
def test_the_reference_lies_within_its_own_bound_of_the_exact_result(name: str) -> None:
    """In every dialect, over two steps from reachable states: |float64 - exact| <= bound.

    The bound is not vacuous: it is finite nearly everywhere, and the errors come close to it.
    """
    rule = OPTIMIZERS[name]
    elements = judged = 0
    closest = 0.0
    for each in exactly.steps(rule, 2 * len(choices(rule))):
        assert not each.beyond, f"{name} {each.told}: {each.error} beyond {each.bound}"
        ratio = np.divide(
            each.error, each.bound, out=np.zeros_like(each.error), where=each.bound > 0
        )
        closest = max(closest, float(np.max(ratio, initial=0.0)))
        elements += each.known.size
        judged += int(np.count_nonzero(each.known))
    assert judged > 0.9 * elements
    assert closest > 0.05
