"""csrc/formats in the CPU kernels: exhaustive over codes, thresholds and their neighbours."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from truestep.fast import _core
from truestep.fast.ours import quantizers, storages
from truestep.fast.ours.storages import Kept
from truestep.reference.affine_formats import FORMATS as AFFINE
from truestep.reference.format_rows import ROWS
from truestep.reference.quantizers import QUANTIZERS, bfloat16, dynamic_8bit

SETS = _core.instruction_sets()
CASTS = sorted(name for name, rule in QUANTIZERS.items() if not rule.BLOCKS)


@pytest.fixture(params=SETS)
def chosen_set(request: pytest.FixtureRequest) -> Any:
    """Every instruction set of this processor in turn."""
    before = _core.instruction_set()
    _core.set_instruction_set(request.param)
    yield request.param
    _core.set_instruction_set(before)


def encoded(how: Kept, x: Any) -> tuple[Any, Any]:
    """The codes and the scales of a float32 array."""
    code = np.empty(how.codes(x.size), how.code)
    scale = np.empty(how.blocks(x.size), how.scales)
    _core.encode(how.storage, x, code.view(np.uint8), scale.view(np.uint8))
    return code, scale


def decoded(how: Kept, code: Any, scale: Any, size: int) -> Any:
    """The float32 numbers of those."""
    x = np.empty(size, np.float32)
    _core.decode(how.storage, code.view(np.uint8), scale.view(np.uint8), x)
    return x


def quantize(x: Any, signed: bool, block_size: int, kind: str = "fused") -> tuple[Any, Any]:
    """The codes of a dynamic map, and absmax."""
    return encoded(storages.dynamic_8bit_kept(signed, block_size, kind), x)


def test_bfloat16_nearest_even(chosen_set: str) -> None:
    """All 2^16 codes, and every midpoint with its float32 neighbours, against the definition."""
    low = np.array([0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF], dtype=np.uint32)
    x = ((np.arange(65536, dtype=np.uint32) << 16)[:, None] + low).reshape(-1).view(np.float32)
    code, _ = encoded(storages.NUMBERS["bfloat16"], x)
    is_nan = np.isnan(x)
    with np.errstate(all="ignore"):
        expected = bfloat16.encode(bfloat16.Hyper(), x[~is_nan].astype(np.float64))
    np.testing.assert_array_equal(code[~is_nan], expected)
    # Quiet, and of the same sign.
    np.testing.assert_array_equal(code[is_nan] & 0x7FC0, 0x7FC0)
    np.testing.assert_array_equal(code[is_nan] >> 15, x[is_nan].view(np.uint32) >> 31)


def test_bfloat16_decode_is_exact(chosen_set: str) -> None:
    """Every code's value, signs of zeros and subnormals included."""
    code = np.arange(65536).astype(np.uint16)
    x = decoded(storages.NUMBERS["bfloat16"], code, np.empty(0, np.float32), code.size)
    np.testing.assert_array_equal(x.view(np.uint32), code.astype(np.uint32) << 16)


@pytest.mark.parametrize("rule", CASTS)
def test_casts_decide_every_threshold(chosen_set: str, rule: str) -> None:
    """The definition's codes of the values, of the thresholds, their neighbours, and of a sweep.

    In every combination of choices, drawn roundings aside; of nans that they are such.
    """
    module = QUANTIZERS[rule]
    sweep = (np.arange(0, 1 << 32, 99_991, dtype=np.uint64)).astype(np.uint32).view(np.float32)
    for chosen in itertools.product(*module.Hyper.CHOICES.values()):
        h = module.Hyper(**dict(zip(module.Hyper.CHOICES, chosen, strict=True)))
        if "stochastic" in chosen:
            continue
        with np.errstate(all="ignore"):
            t = np.concatenate([module.thresholds(h), module.all_values(h)]).astype(np.float32)
            x = np.concatenate([t, *(np.nextafter(t, np.float32(s)) for s in (-9e9, 9e9)), sweep])
            x = np.concatenate([x, -x])
            how = storages.kept(rule, h)
            code, scale = encoded(how, x)
            low, high = module.admissible(h, x.astype(np.float64))
            nan = np.isnan(module.decode(h, low)) & np.isnan(module.decode(h, code))
            back = decoded(how, code, scale, x.size)
            expected = module.decode(h, code).astype(np.float32)
        assert np.all(nan | ((low <= code) & (code <= high)))
        np.testing.assert_array_equal(np.isnan(back), np.isnan(expected))
        known = ~np.isnan(back)
        np.testing.assert_array_equal(back[known].view(np.uint32), expected[known].view(np.uint32))


def test_every_set_gives_the_same_codes() -> None:
    """Of all block formats, in all groupings: bytes of codes, of scales and of decoded numbers."""
    rng = np.random.default_rng(1)
    x = (rng.standard_normal((150, 260)) * 10.0 ** rng.integers(-9, 9, (150, 1))).astype(np.float32)
    x[3, 4:9], x[100] = [np.nan, np.inf, -np.inf, 0.0, -0.0], 0.0
    before = _core.instruction_set()
    for rule in (*ROWS, *AFFINE):
        h, found = QUANTIZERS[rule].Hyper(), set()
        for name in SETS:
            _core.set_instruction_set(name)
            kept = quantizers.encode(rule, h, x)
            back = quantizers.decode(rule, h, {**kept, "shape": np.array(x.shape)})
            arrays = (*kept.values(), np.nan_to_num(back, nan=7.0))
            found.add(b"".join(array.tobytes() for array in arrays))
        assert len(found) == 1, rule
    _core.set_instruction_set(before)


def test_random_numbers_are_those_of_philox() -> None:
    """bfloat16 is rounded up by the upper halves of Philox-4x32-10, as its authors test it.

    Random123's kat_vectors: counter and key 0 give 6627e8d5 e169c58d bc57ac4c 9b00dbd8.
    """
    how = storages.kept("bfloat16", bfloat16.Hyper(rounding="stochastic"))
    draws = [0x6627, 0xE169, 0xBC57, 0x9B00]
    for above, up in ((0, 0), (1, 1)):
        bits = [0x3F800000 + draw + above for draw in draws]
        x = np.array(bits, np.uint32).view(np.float32)
        code = np.empty(4, np.uint16)
        _core.encode(how.storage.seeded(0), x, code.view(np.uint8), np.empty(0, np.uint8))
        np.testing.assert_array_equal(code, 0x3F80 + up)


def blocks_with_absmax_one(x: Any, block_size: int) -> Any:
    """x spread over blocks that each begin with 1, the last one short."""
    rows = np.ones((-(-x.size // (block_size - 1)), block_size), np.float32)
    inner = rows[:, 1:].copy().reshape(-1)
    inner[: x.size] = x
    rows[:, 1:] = inner.reshape(rows.shape[0], -1)
    return rows.reshape(-1)[: -(block_size // 2)]


@pytest.mark.parametrize("block_size", [64, 256, 4096])
@pytest.mark.parametrize("kind", ["fused", "separate"])
@pytest.mark.parametrize("signed", [True, False])
def test_dynamic_8bit_decides_every_threshold(
    chosen_set: str, signed: bool, kind: str, block_size: int
) -> None:
    """Thresholds, their float32 neighbours and the values: the nearest code, ties to the lower.

    With an absmax that is a power of two the quotient is exact, so codes equal the definition's.
    """
    h = dynamic_8bit.Hyper(signed=signed, block_size=block_size, map=kind)  # type: ignore[arg-type]
    t = dynamic_8bit.thresholds(h).astype(np.float32)
    q = dynamic_8bit.all_values(h).astype(np.float32)
    away = [np.nextafter(t, np.float32(s)) for s in (-2, 2)]
    tiny = np.float32(10.0) ** np.linspace(-44, -6, 500, dtype=np.float32)
    x = np.concatenate([t, *away, q, tiny, -tiny, np.zeros(1, np.float32)])
    x = blocks_with_absmax_one(np.clip(x, -1, 1), block_size)
    for scale in (1.0, 2.0**-60, 2.0**90):
        scaled = x * np.float32(scale)
        code, absmax = quantize(scaled, signed, block_size, kind)
        expected, expected_absmax = dynamic_8bit.encode(h, scaled.astype(np.float64))
        np.testing.assert_array_equal(code, expected)
        np.testing.assert_array_equal(absmax, expected_absmax)


@pytest.mark.parametrize("kind", ["fused", "separate"])
@pytest.mark.parametrize("signed", [True, False])
def test_dynamic_8bit_codes_of_every_bucket(chosen_set: str, signed: bool, kind: str) -> None:
    """The first and the last number of each upper half of a float32 from 2^-24 to 1, both signs."""
    high = np.arange(103 << 7, 127 << 7, dtype=np.uint32)[:, None] << 16
    x = (high + np.array([0, 0xFFFF], dtype=np.uint32)).reshape(-1).view(np.float32)
    x = blocks_with_absmax_one(np.concatenate([x, -x]), 256)
    code, _ = quantize(x, signed, 256, kind)
    h = dynamic_8bit.Hyper(signed=signed, block_size=256, map=kind)  # type: ignore[arg-type]
    np.testing.assert_array_equal(code, dynamic_8bit.encode(h, x.astype(np.float64))[0])


@pytest.mark.parametrize("signed", [True, False])
def test_dynamic_8bit_decodes_every_code(chosen_set: str, signed: bool) -> None:
    """Value times absmax, rounded once to float32, for all codes and a wide range of absmax."""
    h = dynamic_8bit.Hyper(signed=signed, block_size=256)
    absmax = (np.float32(10.0) ** np.linspace(-44, 38, 100)).astype(np.float32)
    code = np.tile(np.arange(256).astype(np.uint8), absmax.size)
    x = decoded(storages.dynamic_8bit_kept(signed, 256), code, absmax, code.size)
    expected = dynamic_8bit.decode(h, code, absmax.astype(np.float64)).astype(np.float32)
    np.testing.assert_array_equal(x.view(np.uint32), expected.view(np.uint32))


@pytest.mark.parametrize("signed", [True, False])
def test_dynamic_8bit_codes_are_admissible(chosen_set: str, signed: bool) -> None:
    """For any absmax, also a subnormal or huge one, codes lie where one rounded quotient may."""
    h = dynamic_8bit.Hyper(signed=signed, block_size=64)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((500, 64)) * 10.0 ** rng.uniform(-42, 37, (500, 1))
    x = x.astype(np.float32).reshape(-1)
    code, absmax = quantize(x, signed, 64)
    low, high = dynamic_8bit.admissible(h, x.astype(np.float64), absmax.astype(np.float64))
    assert np.all((low <= code) & (code <= high))
    assert np.mean(low == high) > 0.99


@pytest.mark.parametrize("extreme", [0.0, -0.0, np.inf, -np.inf, np.nan])
def test_blocks_without_a_scale_hold_the_code_of_zero(chosen_set: str, extreme: float) -> None:
    """Zero, infinite and nan absmax: the block's codes are those of zero, its neighbours' not."""
    x = np.full(192, 0.5, np.float32)
    x[64:128] = 0.0
    x[70] = extreme
    for signed, zero in ((True, 127), (False, 0)):
        code, absmax = quantize(x, signed, 64)
        np.testing.assert_array_equal(code[64:128], zero)
        np.testing.assert_array_equal(absmax, np.abs(np.float32([0.5, extreme, 0.5])))
        np.testing.assert_array_equal(code[[0, 63, 128, 191]], 255)
        back = decoded(storages.dynamic_8bit_kept(signed, 64), code, absmax, code.size)
        zeros = 0.0 if extreme == 0 else np.nan
        np.testing.assert_array_equal(back[64:128], np.float32(zeros))
