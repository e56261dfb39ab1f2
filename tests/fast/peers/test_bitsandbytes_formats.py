"""bitsandbytes' 4-bit blocks and 8-bit rows behind the protocol: codes are those of the bytes."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed")

import torch
from bitsandbytes import functional

from truestep.fast.peers.bitsandbytes.backend import Backend
from truestep.properties.kinds.quantizer.step import Subject
from truestep.reference.quantizers import QUANTIZERS

BACKEND = Backend()
CAPABILITIES = {c.rule: c for c in BACKEND.capabilities() if c.kind == "quantizer"}


@pytest.mark.parametrize("rule", ["fp4", "nf4"])
@pytest.mark.parametrize("shape", [(2, 64), (3, 43), (1, 2), (130,), ()])
def test_four_bits_cross(rule: str, shape: tuple[int, ...]) -> None:
    """The codes are the reference's away from zero, and what is read back is the library's."""
    x = np.random.default_rng(3).uniform(0.1, 1, shape).astype(np.float32)
    kept = x.copy()
    hyper = QUANTIZERS[rule].Hyper(**CAPABILITIES[rule].dialect)
    out = Subject(BACKEND, CAPABILITIES[rule]).encode(hyper, x)
    code, scale = QUANTIZERS[rule].encode(hyper, x)
    assert np.array_equal(out.code, code)
    assert np.array_equal(out.stored["scale"], scale)
    assert np.array_equal(x, kept)
    given = torch.from_numpy(x.reshape(1, -1).copy())
    packed, state = functional.quantize_4bit(given, blocksize=64, quant_type=rule)
    with torch.compiler.set_stance("force_eager"):
        due = functional.dequantize_4bit(packed, state).reshape(shape).numpy()
    assert np.array_equal(out.back, due)


@pytest.mark.parametrize("rule", ["fp4", "nf4"])
@pytest.mark.parametrize("shape", [(2, 64), (3, 43), (300, 64), ()])
def test_compressed_statistics_cross(rule: str, shape: tuple[int, ...]) -> None:
    """What is beside the codes is the library's, and so is what is read back."""
    x = np.random.default_rng(3).uniform(0.1, 1, shape).astype(np.float32)
    subject = Subject(BACKEND, CAPABILITIES[f"{rule}_nested"])
    hyper = subject.rule.Hyper(**subject.capability.dialect)
    out = subject.encode(hyper, x)
    made = subject.rule.encode(hyper, x)
    assert np.array_equal(out.code, made[0])
    assert np.allclose(out.stored["offset"], made[3], rtol=1e-6)
    given = torch.from_numpy(x.reshape(1, -1).copy())
    packed, state = functional.quantize_4bit(
        given, blocksize=64, quant_type=rule, compress_statistics=True
    )
    with torch.compiler.set_stance("force_eager"):
        due = functional.dequantize_4bit(packed, state).reshape(shape).numpy()
    assert np.array_equal(out.back, due)


@pytest.mark.parametrize("shape", [(2, 64), (3, 2, 5), (7,), (), (3, 0)])
def test_rows_cross(shape: tuple[int, ...]) -> None:
    """Codes are the bytes of signed integers, and every row keeps its absmax."""
    x = np.random.default_rng(4).standard_normal(shape).astype(np.float32)
    capability = CAPABILITIES["int8_rows"]
    hyper = QUANTIZERS["int8_rows"].Hyper(**capability.dialect)
    stored = BACKEND.encode(capability, hyper, x)
    code, scale = QUANTIZERS["int8_rows"].encode(hyper, x)
    assert np.array_equal(stored["code"], code)
    assert np.array_equal(stored["scale"], scale)
    back = BACKEND.decode(capability, hyper, stored)
    assert np.allclose(back, QUANTIZERS["int8_rows"].decode(hyper, code, scale))
