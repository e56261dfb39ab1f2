"""What block formats choose besides: drawn roundings, 4 or 6, tiles."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from truestep.properties.kinds.quantizer import rounding_statistics
from truestep.properties.kinds.quantizer.step import Subject
from truestep.properties.museum.plant import Kernel
from truestep.properties.run.plan import checks_of, run_check
from truestep.reference.block_scales import stored
from truestep.reference.quantizers import QUANTIZERS

F32 = np.float32
E4M3 = QUANTIZERS["e4m3_tensors"].all_values(None)[:127]
DRAWN = ["int4", "int8_rows", "mxfp4", "mxfp8_e4m3_tiles", "mxint8", "nvfp4", "nvfp4_two_level"]


def numbers(seed: int, shape: tuple[int, ...] = (64, 64)) -> Any:
    """Numbers from N(0, 1), as float32 holds them."""
    return np.random.default_rng(seed).standard_normal(shape).astype(F32).astype(float)


@pytest.mark.parametrize("name", DRAWN)
def test_drawn_codes_are_neighbours_whose_mean_is_the_number(name: str) -> None:
    """Over draws that share out the unit evenly, 64 of them: to a sixty-fourth of the gap."""
    rule = QUANTIZERS[name]
    h, x = rule.Hyper(rounding="stochastic"), numbers(3)
    mean, ranks = np.zeros(x.shape), set()
    for k in range(64):
        code, scale = rule.encode(h, x, np.full(x.shape, 1024 * k + 512))
        low, high = rule.admissible(h, x, scale)
        rank = rule.rank(code)
        assert np.all((rank == low) | (rank == high))
        ranks.add(rank.tobytes())
        mean += rule.decode(h, code, scale) / 64
    assert len(ranks) == 64
    s = rule.per_element(h, rule.value(h, scale), x.shape)
    gap = (rule.ranked[1][high] - rule.ranked[1][low]) * s
    # What exceeds the largest value saturates.
    error = np.where(np.abs(x) <= abs(rule.row.largest) * s, np.abs(mean - x), 0.0)
    assert np.all(error <= gap * (1 / 64 + 1e-9))


def test_a_value_is_kept_whatever_is_drawn() -> None:
    """Zeros with their sign too; without draws there is no code."""
    rule = QUANTIZERS["mxfp4"]
    h = rule.Hyper(rounding="stochastic")
    x = rule.decode(h, np.resize(np.arange(16, dtype=np.uint8), 32), np.array([127], np.uint8))
    for drawn in (0, 2**16 - 1):
        code, _ = rule.encode(h, x, np.full(32, drawn))
        assert np.array_equal(code, np.resize(np.arange(16), 32))
    low, high = rule.admissible(h, x, np.array([127], np.uint8))
    assert np.array_equal(low, high)
    with pytest.raises(ValueError, match="needs random integers"):
        rule.encode(h, x)


@pytest.mark.parametrize("name", ["float8_e4m3fn", "nvfp4"])
@pytest.mark.parametrize(
    ("bits", "declared", "verdict"),
    [(8, 0, "pass"), (7, 0, "fail"), (8, 16, "fail"), (16, 16, "pass")],
)
def test_as_many_bits_to_a_draw_as_are_declared_are_enough(
    name: str, bits: int, declared: int, verdict: str
) -> None:
    """Without a declaration eight. Fewer are biased where 2^-bits is due."""
    kernel = Kernel(name, dialect={"rounding": "stochastic"}, random_bits=declared)
    plain, below = kernel.module.encode, 16 - bits
    object.__setattr__(
        kernel.module, "encode", lambda h, x, random: plain(h, x, random >> below << below)
    )
    [check] = [c for c in checks_of(kernel) if c.name == "frequency"]
    assert run_check(kernel, check, level="standard", seed=0).verdict == verdict


@pytest.mark.parametrize("name", ["e4m3_tiles", "int8_tensor", "mxfp4_tiles"])
def test_groups_of_any_sort_are_filled_with_the_number(name: str) -> None:
    """And each has one extreme, by which its scale is 1."""
    kernel = Kernel(name, dialect={"rounding": "stochastic"})
    subject = Subject(kernel, kernel.capability)
    h = subject.rule.Hyper(rounding="stochastic")
    x = rounding_statistics._tensor(subject, h, 0.25, 1000)
    assert np.count_nonzero(x == F32(0.25)) >= 1000
    assert set(np.abs(subject.rule.extremes(h, x))) == {subject.rule.extreme(h)}


def in_float32(x: Any, measure: str, extreme: Any, *, scaled: bool) -> tuple[Any, Any]:
    """Codes and scales as a float32 kernel may make them under a scale of the tensor.

    scaled: what is missed is measured beside the quotients, else beside x.
    """
    rule = QUANTIZERS["nvfp4_two_level"]
    blocks = x.astype(F32).reshape(-1, 16)
    encode = F32(448 * 6) / extreme
    base = np.abs(blocks).max(1) / F32(6) * encode
    found = []
    for more in (F32(1), F32(1.5)):
        y = np.minimum((base * more).astype(float), 448.0)
        code = np.abs(np.array(E4M3) - y[:, None]).argmin(1).astype(np.uint8)
        s = np.array(E4M3)[code].astype(F32)[:, None]
        with np.errstate(divide="ignore"):
            inverse = F32(1) / (s * (F32(1) / encode))
        q = np.clip(blocks * np.minimum(inverse, np.finfo(F32).max), -6, 6)
        rank = rule.nearest(rule.Hyper(), q.astype(float), np.ones(q.shape))
        near = rule.ranked[1][rank].astype(F32)
        back = near * s if scaled else near * s * extreme / F32(448 * 6)
        missed = back - (blocks * encode if scaled else blocks)
        total = (missed * missed if measure == "mse" else np.abs(missed)).sum(1, dtype=F32)
        found.append((total, code, rule.ranked[0][rank].astype(np.uint8)))
    (six, *kept), (four, *other) = found
    scale, codes = (
        np.where((four < six).reshape(-1, *[1] * (a.ndim - 1)), b, a)
        for a, b in zip(kept, other, strict=True)
    )
    return codes.reshape(x.shape), scale


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("measure", ["mae", "mse"])
def test_four_or_six_as_kernels_choose(measure: str, *, scaled: bool) -> None:
    """Every choice of a float32 kernel is admitted, and of the others hardly any would be."""
    rule, x = QUANTIZERS["nvfp4_two_level"], numbers(5, (2**15,)) * 2.0**-7
    extreme = F32(np.abs(x).max())
    h = rule.Hyper(four_over_six=measure, tensor_scale=float(F32(extreme / F32(448 * 6))))
    code, scale = in_float32(x, measure, extreme, scaled=scaled)
    low, high = rule.intervals(h, x, scale)["scale"]
    assert np.all((low <= scale) & (scale <= high))
    least, most = rule.admissible(h, x, scale)
    assert np.all((least <= rule.rank(code)) & (rule.rank(code) <= most))
    six, four = (stored(rule.row, h, rule.extremes(h, x), becomes=b) for b in (6.0, 4.0))
    other = np.where(scale == six, four, six)
    assert 0.2 < np.mean(scale == six) < 0.8
    low, high = rule.intervals(h, x, other)["scale"]
    assert np.mean((low <= other) & (other <= high)) < 0.001


def test_of_equal_sums_six_is_taken() -> None:
    """Where nothing is missed with either; 4 where nothing is missed with that alone."""
    rule = QUANTIZERS["nvfp4"]
    x = np.zeros(32)
    x[:3], x[16:19] = (6.0, 3.0, -1.5), (6.0, 4.5, -1.5)
    for measure in ("mae", "mse"):
        h = rule.Hyper(four_over_six=measure)
        code, scale = rule.encode(h, x)
        assert rule.value(h, scale).tolist() == [1.0, 1.5]
        assert np.array_equal(rule.decode(h, code, scale), x)
        for wrong in ([1.5, 1.5], [1.0, 1.0]):
            given = np.array([np.flatnonzero(w == E4M3)[0] for w in wrong], np.uint8)
            low, high = rule.intervals(h, x, given)["scale"]
            assert not np.all((low <= given) & (given <= high))


@pytest.mark.parametrize("name", ["mxfp4_tiles", "nvfp4_tiles", "nvfp4_two_level_tiles"])
def test_a_tile_is_encoded_as_its_elements_in_a_line(name: str) -> None:
    """Scales lie row by row; those of a matrix beside another are those of both."""
    rule = QUANTIZERS[name]
    h, side = rule.Hyper(), rule.row.block
    x = numbers(9, (2, 3 * side, 2 * side)) * 2.0 ** np.arange(6).reshape(2, 3, 1).repeat(side, 1)
    code, scale = rule.encode(h, x)
    tiles = x.reshape(2, 3, side, 2, side).swapaxes(2, 3).reshape(-1, side * side)
    due = [rule.encode(h, tile.reshape(side, side)) for tile in tiles]
    assert np.array_equal(scale, np.concatenate([s for _, s in due]))
    codes = code.reshape(2, 3, side, 2, side).swapaxes(2, 3).reshape(tiles.shape)
    assert np.array_equal(codes, np.stack([c.reshape(-1) for c, _ in due]))
