"""gguf's block formats behind the protocol: codes and scales are those of the packed bytes."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("gguf", reason="gguf is not installed")

from gguf import quants

from truestep.fast.peers.gguf.backend import TYPES, Backend
from truestep.fast.protocol import QuantizerCapability
from truestep.properties.run.plan import checks_of, run_check
from truestep.reference.quantizers import QUANTIZERS

BACKEND = Backend()


@pytest.mark.parametrize("capability", BACKEND.capabilities(), ids=lambda c: c.rule)
def test_what_crosses_is_what_is_packed(capability: QuantizerCapability) -> None:
    """Codes and scales, taken apart and put together, are read back as the library's bytes are."""
    rule = QUANTIZERS[capability.rule]
    x = np.random.default_rng(5).standard_normal((3, 64)).astype(np.float32)
    kept = x.copy()
    hyper = rule.Hyper(**capability.dialect)
    stored = BACKEND.encode(capability, hyper, x)
    assert stored["scale"].shape == (6,)
    assert np.array_equal(x, kept)
    due = quants.dequantize(quants.quantize(x, TYPES[capability.rule]), TYPES[capability.rule])
    assert np.array_equal(BACKEND.decode(capability, hyper, stored), due)
    assert np.abs(due - x).max() < np.abs(x).max() / 8


def test_every_check_passes() -> None:
    """At the least level: no format departs from its definition."""
    found = [run_check(BACKEND, check, level="smoke", seed=1) for check in checks_of(BACKEND)]
    assert not [f"{x.check.id}: {x.message}" for x in found if x.verdict != "pass"]
