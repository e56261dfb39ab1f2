"""The first look at another reading lets pass what rounding explains, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from truestep.fast.protocol import Slot, Stepped
from truestep.properties.arithmetic.profiles import PROFILES
from truestep.properties.kinds.optimizer.likeness import require_likeness
from truestep.properties.search.identification import Unlike
from truestep.reference.optimizers import lion

FLOAT32 = PROFILES["ieee_float32"]


def _step_back(p: float) -> tuple[lion.Hyper, Slot]:
    """Lion at lr, with a gradient that takes it down by lr = 0.1."""
    h = lion.Hyper(lr=0.1)
    x = np.full(4, p, np.float32)
    return h, Slot(x, np.ones(4, np.float32), {"t": 2, "m": np.ones(4, np.float32)})


def _stepped(p: float, m: float = 1.0) -> Stepped:
    return Stepped(np.full(4, p, np.float32), {"t": 3, "m": np.full(4, m, np.float32)})


def test_a_step_back_to_zero_is_alike() -> None:
    """0.1 - 0.1 is 0 in float32, and 1.5e-9 where the reference starts from float32's 0.1."""
    h, slot = _step_back(0.1)
    require_likeness(lion, h, [slot], [_stepped(0.0)], FLOAT32)


@pytest.mark.parametrize(("p", "m"), [(0.2, 1.0), (1e-3, 1.0), (0.0, 0.5)])
def test_another_step_is_not(p: float, m: float) -> None:
    """The other way, short of it, or another momentum."""
    h, slot = _step_back(0.1)
    with pytest.raises(Unlike):
        require_likeness(lion, h, [slot], [_stepped(p, m)], FLOAT32)
