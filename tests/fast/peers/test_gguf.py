"""gguf's block formats behind the protocol: codes and scales are those of the packed bytes."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("gguf", reason="gguf is not installed")

from gguf import quants

from truestep.fast.peers.gguf.backend import BESIDE, READ, TYPES, Backend
from truestep.properties.kinds.quantizer.step import Subject
from truestep.properties.run.plan import checks_of, run_check
from truestep.reference.quantizers import QUANTIZERS

BACKEND = Backend()
CAPABILITIES = {c.rule: c for c in BACKEND.capabilities()}


@pytest.mark.parametrize("rule", sorted(BESIDE))
def test_what_crosses_is_what_is_packed(rule: str) -> None:
    """Codes and what is beside them are read back as the library's bytes are."""
    capability = CAPABILITIES[rule]
    x = np.random.default_rng(5).standard_normal((3, 64)).astype(np.float32)
    kept = x.copy()
    subject = Subject(BACKEND, capability)
    out = subject.encode(subject.rule.Hyper(**capability.dialect), x)
    assert {name: out.stored[name].shape for name in BESIDE[rule]} == dict.fromkeys(
        BESIDE[rule], (6,)
    )
    assert np.array_equal(x, kept)
    due = quants.dequantize(quants.quantize(x, TYPES[rule]), TYPES[rule])
    assert np.array_equal(out.back, due)
    assert np.abs(due - x).max() < np.abs(x).max() / 8


@pytest.mark.parametrize("rule", READ)
def test_k_quants_are_read_from_bytes_of_any_sort(rule: str) -> None:
    """What the reference makes of a tensor's codes, the library reads near to the tensor."""
    format, capability = QUANTIZERS[rule], CAPABILITIES[rule]
    x = np.random.default_rng(6).standard_normal((2, 512)) + 0.2
    names = ("code", *format.beside(format.Hyper(), x.shape))
    stored = dict(zip(names, format.encode(format.Hyper(), x), strict=True))
    back = Subject(BACKEND, capability).decode(format.Hyper(), stored)
    assert np.array_equal(back, format.decode(format.Hyper(), *stored.values()).astype(np.float32))
    assert np.abs(back - x).max() < 0.3


def test_what_the_library_only_reads_has_one_check() -> None:
    """No encoder is asked for what there is none of."""
    found = {c.name for c in checks_of(BACKEND) if c.capability.rule in READ}
    assert found == {"every_code"}


def test_every_check_passes() -> None:
    """At the least level: no format departs from its definition."""
    found = [run_check(BACKEND, check, level="smoke", seed=1) for check in checks_of(BACKEND)]
    assert not [f"{x.check.id}: {x.message}" for x in found if x.verdict != "pass"]
