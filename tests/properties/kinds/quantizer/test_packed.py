"""Codes that a backend keeps packed are judged as packed: what it stores, and by which packing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from truestep.properties.judge.calls import Malformed
from truestep.properties.kinds.quantizer import sweep
from truestep.properties.kinds.quantizer.step import Subject, judged
from truestep.properties.museum.plant import Kernel
from truestep.properties.run.plan import checks_of, run_check
from truestep.reference.packing import PACKINGS
from truestep.reference.quantizers import QUANTIZERS

# A format of each packing, by the size that its last axis is a multiple of.
OF = {
    "awq": ("int4", 1), "gptq": ("int3", 1), "pack_quantized": ("int4_full", 1),
    "pairs_high_first": ("nf4", 1), "pairs_low_first": ("mxfp4", 1), "q4_0": ("q4_0", 32),
    "q5_0": ("q5_0", 32), "q4_k": ("q4_0", 256), "q5_k": ("q5_0", 256), "q6_k": ("mxfp6_e2m3", 256),
}  # fmt: skip


def _kernel(packing: str, **declared: Any) -> Kernel:
    rule, multiple = OF[packing]
    return Kernel(rule, packing=packing, multiple=multiple, **declared)


@pytest.mark.parametrize("name", PACKINGS)
def test_packed_codes_are_judged_as_codes(name: str) -> None:
    """Of numbers, vectors and matrices, odd and empty ones among them."""
    kernel = _kernel(name)
    subject, multiple = Subject(kernel, kernel.capability), OF[name][1]
    hyper = subject.rule.Hyper()
    for shape in ((), (0,), (7,), (3, 5), (2, 3, 11)):
        sized = (*shape[:-1], shape[-1] * multiple) if shape else (multiple,) * (multiple > 1)
        x = np.random.default_rng(1).standard_normal(sized).astype(np.float32)
        out = subject.encode(hyper, x)
        assert out.words.dtype == PACKINGS[name].word and out.code.shape == sized
        for told, judgement in judged(subject, hyper, out):
            assert judgement.passed or not judgement.elements, told
        np.testing.assert_array_equal(subject.decode(hyper, out.stored), out.back)


@pytest.mark.parametrize(
    ("rule", "packing"), [("int4_full", "pack_quantized"), ("float4_e2m1fn", "pairs_low_first")]
)
def test_every_check_passes_of_a_packed_format(rule: str, packing: str) -> None:
    """Laws and the decoding of all codes among them."""
    kernel = Kernel(rule, packing=packing)
    for check in checks_of(kernel):
        if check.name != sweep.NAME:
            result = run_check(kernel, check, level="smoke", seed=1)
            assert result.verdict == "pass", result.message


class Unpacked(Kernel):
    """Gives a byte for every code where pairs are due."""

    def encode(self, capability: Any, hyper: Any, x: Any) -> Any:
        """The codes as the format has them."""
        made = super().encode(capability, hyper, x)
        made["code"] = np.zeros(x.shape, np.uint8)
        return made


def test_words_of_another_number_are_told() -> None:
    """With the packing's name, the shape and the one that is due."""
    kernel = Unpacked("nf4", packing="pairs_high_first")
    told = r"code, packed as pairs_high_first, has shape \(5,\), expected \(3,\)"
    with pytest.raises(Malformed, match=told):
        Subject(kernel, kernel.capability).encode(QUANTIZERS["nf4"].Hyper(), np.ones(5, np.float32))
