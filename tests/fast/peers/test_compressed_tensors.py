"""compressed-tensors' formats: layouts, packed codes, and that nothing fails but by a finding."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from typing import Any

import numpy as np
import pytest

# Imported by the adapter alone, which knows how to.
if not importlib.util.find_spec("compressed_tensors"):
    pytest.skip("compressed-tensors is not installed", allow_module_level=True)

from truestep.fast.peers.compressed_tensors import scaled
from truestep.fast.peers.compressed_tensors.backend import Backend
from truestep.fast.peers.findings import FINDINGS
from truestep.properties.kinds.quantizer.cases import fitting
from truestep.properties.kinds.quantizer.step import Subject, judged
from truestep.properties.run.plan import checks_of, run_check
from truestep.reference.packing import pack
from truestep.reference.quantizers import QUANTIZERS

BACKEND = Backend()
SHAPES = ((), (0,), (1,), (300,), (3, 100), (2, 3, 130), (129, 130), (5, 0))
# One of every file and grouping.
CHECKED = (
    "e4m3_tiles", "int8_full_tensor", "int4_full_rows", "mxfp4", "nvfp4_two_level", "uint4",
    "uint8_rows",
)  # fmt: skip


@pytest.mark.parametrize("capability", BACKEND.capabilities(), ids=lambda c: c.rule)
def test_codes_and_scales_agree_with_the_reference(capability: Any) -> None:
    """Of every shape, short groups and tiles and a group of zeros among them."""
    rng = np.random.default_rng(3)
    subject = Subject(BACKEND, capability)
    hyper = subject.rule.Hyper(**capability.dialect, **capability.fixed)
    for shape in SHAPES:
        x = rng.standard_normal(fitting(shape, capability.multiple))
        x *= 10 ** rng.uniform(-2, 2, x.shape)
        for numbers in (x, np.zeros_like(x)):
            out = subject.encode(hyper, np.asarray(numbers, np.float32))
            found = dict(judged(subject, hyper, out))
            # Of zero points of zeros see the findings.
            known = set() if numbers.any() else {"zero_point"}
            failing = {name for name, j in found.items() if j.elements and not j.passed} - known
            assert not failing, (shape, failing)


@pytest.mark.parametrize("bits", [2, 3, 4, 5, 8])
def test_words_are_those_of_the_reference(bits: int) -> None:
    """Rows that end within a word, and codes that lie across two."""
    half = 2 ** (bits - 1)
    values = np.random.default_rng(bits).integers(-half, half, (3, 37)).astype(np.int8)
    words = scaled.packed(values, bits)
    code = values.view(np.uint8) & np.uint8(2 * half - 1)
    assert np.array_equal(pack("pack_quantized", code, bits, signed=True), words)
    assert np.array_equal(scaled.unpacked(words, values.shape, bits), values)


@pytest.mark.parametrize("rule", CHECKED)
def test_nothing_fails_but_by_a_finding(rule: str) -> None:
    """With few examples: each failure of a check is one that a finding explains."""
    installed = importlib.metadata.version("compressed-tensors")
    known = [f for f in FINDINGS if f.library == BACKEND.name and f.concerns(installed)]
    checks = [check for check in checks_of(BACKEND) if check.id.split("/")[1] == rule]
    assert len(checks) >= 6
    for check in checks:
        result = run_check(BACKEND, check, level="smoke", seed=7)
        explained = [f.label for f in known if f.explains(result.to_json())]
        if result.verdict in ("crashed", "fail"):
            assert known and explained, (check.id, result.message)


def test_formats_are_of_the_reference() -> None:
    """Each rule once."""
    rules = [capability.rule for capability in BACKEND.capabilities()]
    assert len(set(rules)) == len(rules) and set(rules) < set(QUANTIZERS)
