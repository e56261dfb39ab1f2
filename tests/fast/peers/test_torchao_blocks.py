"""torchao's block formats: layouts, nibbles, and that nothing fails but by a finding."""

from __future__ import annotations

import importlib.metadata
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torchao", reason="torchao is not installed")

from truestep.fast.peers.findings import FINDINGS
from truestep.fast.peers.torchao import blocks
from truestep.fast.peers.torchao.backend import Backend
from truestep.properties.cases.hypers import held
from truestep.properties.kinds.quantizer.cases import fitting
from truestep.properties.kinds.quantizer.step import Subject, judged
from truestep.properties.run.plan import checks_of, run_check
from truestep.reference.format_rows import ROWS
from truestep.reference.quantizers import QUANTIZERS

BACKEND = Backend()
CAPABILITIES = blocks.capabilities()
SHAPES = ((), (0,), (1,), (300,), (3, 100), (2, 3, 130), (129, 130), (5, 0))
# One of every file and layout.
CHECKED = (
    *("quantizer/e4m3_tiles/float32/inference", "quantizer/e5m2_rows/float32/training_power"),
    *("quantizer/int4/float32", "quantizer/int8_rows/float32", "quantizer/mxfp4/float32/rceil"),
    *("quantizer/mxfp8_e5m2/float32/even", "quantizer/nf4/float32", "quantizer/nvfp4/float32"),
    *("quantizer/dynamic_4bit/float32", "quantizer/e4m3_blocks/float32/optim"),
    *("quantizer/uint4/float32/own", "quantizer/uint8_rows/float32/with_zero"),
    *("quantizer/uint4_float_zero/float32/tinygemm", "quantizer/uint8_float_zero/float32/hqq"),
)


def _place(capability: Any) -> str:
    return f"{capability.rule}/{capability.variant}"


def _hyper(capability: Any, **fields: Any) -> Any:
    rule = QUANTIZERS[capability.rule].Hyper
    return rule(**fields, **capability.dialect, **held(capability.fixed))


def test_every_rule_is_of_one_implementation_by_name() -> None:
    """Variants tell implementations of a rule apart, and every rule is a block format."""
    assert len({_place(c) for c in CAPABILITIES}) == len(CAPABILITIES) == 51
    assert {c.rule for c in CAPABILITIES} < set(ROWS)


@pytest.mark.parametrize("capability", CAPABILITIES, ids=_place)
def test_codes_and_scales_agree_with_the_reference(capability: Any) -> None:
    """Of every shape, short groups and tiles among them; of NF4 the table alone differs."""
    rng = np.random.default_rng(3)
    subject, hyper = Subject(BACKEND, capability), _hyper(capability)
    for shape in SHAPES:
        x = rng.standard_normal(fitting(shape, capability.multiple))
        x32 = np.asarray(x * 10 ** rng.uniform(-2, 2, x.shape), np.float32)
        out = subject.encode(hyper, x32)
        found = dict(judged(subject, hyper, out))
        if capability.rule == "nf4":
            np.testing.assert_allclose(
                out.back, QUANTIZERS["nf4"].decode(hyper, out.code, out.stored["scale"]), rtol=6e-4
            )
            found = {"scale": found["scale"]}
        failing = [name for name, x in found.items() if x.elements and not x.passed]
        assert not failing, (shape, failing)


@pytest.mark.parametrize("place", CHECKED)
def test_nothing_fails_but_by_a_finding(place: str) -> None:
    """With few examples: each failure of a check is one that a finding explains."""
    installed = importlib.metadata.version("torchao")
    known = [f for f in FINDINGS if f.library == "torchao" and f.concerns(installed)]
    checks = [check for check in checks_of(BACKEND) if check.id.rpartition("/")[0] == place]
    assert len(checks) >= 7
    for check in checks:
        result = run_check(BACKEND, check, level="smoke", seed=7)
        explained = [f.label for f in known if f.explains(result.to_json())]
        if result.verdict in ("crashed", "fail"):
            assert known and explained, (check.id, result.message)
