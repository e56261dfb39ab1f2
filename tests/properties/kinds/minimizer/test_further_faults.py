"""Further faults of rules that evaluate the function: found by the strata with any seed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from truestep.properties.museum.plant import Edit, Kernel
from truestep.properties.museum.power import first_failure

pytestmark = pytest.mark.power

COUNTED = "    t = s.t + 1\n"
UNITS = "np.eye(p.size)"


def of(rule: str, *edits: Edit) -> Callable[[], Kernel]:
    """A kernel of the rule's lines with these changes."""
    return partial(Kernel, rule, edits)


FAULTS: dict[str, Callable[[], Kernel]] = {
    "count: Kiefer and Wolfowitz's is kept in 8 bits": of(
        "kiefer_wolfowitz", (COUNTED, "    t = (s.t + 1) % 256\n")
    ),
    "frozen: a good step of SR1 leaves mu as it is": of(
        "sr1_cubic", ("mu = s.mu * (1 + h.gamma1) / 2", "mu = s.mu")
    ),
    "frozen: SR1 skips by an absolute size": of(
        "sr1_cubic", ("h.skip * np.sqrt(s @ s) * np.sqrt(v @ v)", "h.skip")
    ),
    "size: elements beyond a warp of 32 do not move": of(
        "lbfgs", ("moved = a * d", "moved = a * d * (np.arange(d.size) < 32)")
    ),
    "size: of the differences 32 are taken": of(
        "kiefer_wolfowitz", (UNITS, f"({UNITS} * (np.arange(p.size) < 32))")
    ),
}


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("name", FAULTS)
def test_it_is_found(name: str, seed: int) -> None:
    """Whatever else is drawn."""
    found = first_failure(FAULTS[name](), seed=seed, told=False)
    assert found is not None
    assert (found.check, found.verdict) == ("strata", "fail"), found.message
