"""States kept as codes by the CPU kernels: what a plan holds, and what a step makes of it."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from truestep.fast import _core
from truestep.fast.ours import offered_storages, storages
from truestep.fast.ours.cpu import Backend
from truestep.fast.ours.cpu_plans import Plan
from truestep.fast.protocol import OptimizerCapability, Storage
from truestep.properties.kinds.optimizer import draws
from truestep.properties.kinds.table import KINDS
from truestep.properties.run.plan import run_check
from truestep.reference import splits
from truestep.reference.optimizers import adamw
from truestep.reference.packing import pack
from truestep.reference.quantizers import QUANTIZERS
from truestep.reference.splits import SPLITS

HYPER = adamw.Hyper(decay="before")
SIZES = (1, 511, 0, 40_003)
NO_SCALES = np.empty(0, np.uint8)


def kept_by(variant: str) -> dict[str, storages.Kept]:
    """How m and v are kept, each choice the first of its values."""
    chosen = offered_storages.VARIANTS[variant]
    hyper = {k: x[0] if isinstance(x, tuple) else x for k, x in chosen.hyper.items()}
    formats = {"m": chosen.signed, "v": chosen.nonnegative}
    return {k: storages.kept(rule, QUANTIZERS[rule].Hyper(**hyper)) for k, rule in formats.items()}


def encoded(how: storages.Kept, x: Any) -> tuple[Any, Any]:
    """The codes and the scales of a float32 array."""
    code = np.empty(how.codes(x.size), how.code)
    scale = np.empty(how.blocks(x.size), how.scales)
    _core.encode(how.storage, x, code.view(np.uint8), scale.view(np.uint8))
    return code, scale


def decoded(how: storages.Kept, code: Any, scale: Any, size: int) -> Any:
    """The float32 numbers of those."""
    x = np.empty(size, np.float32)
    _core.decode(how.storage, code.view(np.uint8), scale.view(np.uint8), x)
    return x


def tensors(kept: dict[str, storages.Kept], seed: int = 0) -> tuple[Any, Any, dict[str, Any]]:
    """Parameters, gradients, and codes and scales of moments, of SIZES."""
    rng = np.random.default_rng(seed)
    p, g, m = ([rng.standard_normal(n).astype(np.float32) for n in SIZES] for _ in range(3))
    state: dict[str, Any] = {}
    for name, moment in (("m", m), ("v", [x * x for x in m])):
        pairs = [encoded(kept[name], x) for x in moment]
        state[f"{name}_code"] = [code for code, _ in pairs]
        state[f"{name}_{kept[name].scale}"] = [scale for _, scale in pairs]
    return p, g, state


@pytest.mark.parametrize("variant", sorted(offered_storages.VARIANTS))
def test_steps_between_decoding_and_encoding(variant: str) -> None:
    """The step's tensors are those of the float32 step on decoded moments, encoded again."""
    kept = kept_by(variant)
    if any(how.drawn for how in kept.values()):
        pytest.skip("drawn roundings differ from call to call")
    p, g, state = tensors(kept)
    plain = {
        name: [
            decoded(kept[name], *pair, n)
            for *pair, n in zip(state[f"{name}_code"], state[f"{name}_scale"], SIZES, strict=True)
        ]
        for name in "mv"
    }
    expected = [x.copy() for x in p]
    Plan("adamw", expected, g, plain).step(HYPER, 4)
    Plan("adamw", p, g, state, kept=kept).step(HYPER, 4, threads=2)
    for i in range(len(SIZES)):
        np.testing.assert_array_equal(p[i].view(np.uint32), expected[i].view(np.uint32))
        for name in "mv":
            code, scale = encoded(kept[name], plain[name][i])
            np.testing.assert_array_equal(state[f"{name}_code"][i], code)
            np.testing.assert_array_equal(
                state[f"{name}_scale"][i].view(np.uint8), scale.view(np.uint8)
            )


def test_codes_of_four_bits_take_half_a_byte() -> None:
    """Both moments of the 4-bit variant in a byte for each parameter, besides the scales."""
    kept = kept_by("4bit")
    _, _, state = tensors(kept)
    for name in "mv":
        for n, code in zip(SIZES, state[f"{name}_code"], strict=True):
            assert (code.dtype, code.nbytes) == (np.uint8, (n + 1) // 2)


def test_streams_no_more_than_the_codes() -> None:
    """What measures the memory traffic of a step stays within codes of four bits."""
    kept = kept_by("4bit")
    p, g, state = tensors(kept)
    whole = {name: [np.append(code, code[:1]) for code in state[name]] for name in state}
    cut = {name: [x[:-1] if x.size else x for x in group] for name, group in whole.items()}
    last = {name: [x[-1:].copy() for x in group] for name, group in whole.items()}
    Plan("adamw", p, g, cut, kept=kept).stream(HYPER)
    for name, group in whole.items():
        for x, before in zip(group, last[name], strict=True):
            np.testing.assert_array_equal(x[-1:], before)


@pytest.mark.parametrize("size", [0, 1, 2, 33])
def test_packs_as_the_reference_does(size: int) -> None:
    """Two to a byte, the first in the higher half, and back."""
    code = (np.arange(size) * 7 % 16).astype(np.uint8)
    packed = storages.packed_codes(code)
    np.testing.assert_array_equal(packed, pack("pairs_high_first", code, 4))
    np.testing.assert_array_equal(storages.unpacked_codes(packed, code.shape), code)


def drawn(seed: int | None, steps: int = 1, threads: int = 1) -> list[bytes]:
    """The codes after each step on two equal tensors, whose moments then lie between codes."""
    kept = kept_by("int4_stochastic")
    m = np.full(4096, 0.5, np.float32)
    m[::128] = 1.0
    pair = [encoded(kept["m"], m) for _ in range(2)]
    state = {
        f"{name}_{part}": [pair[i][k].copy() for i in range(2)]
        for name in "mv"
        for k, part in enumerate(("code", "scale"))
    }
    p, g = ([np.full(4096, 20.0, np.float32) for _ in range(2)] for _ in range(2))
    plan = Plan("adamw", p, g, state, kept=kept, seed=seed)
    found = []
    for t in range(1, steps + 1):
        plan.step(HYPER, t, threads)
        found += [code.tobytes() for name in "mv" for code in state[f"{name}_code"]]
    return found


def test_draws_anew_for_every_tensor_state_and_step() -> None:
    """No two of them have the same codes; nor have two plans; with a seed a plan repeats itself."""
    once = drawn(3, steps=2)
    assert len(set(once)) == len(once) == 8
    assert once == drawn(3, steps=2, threads=2)
    assert not set(once) & set(drawn(4, steps=2))
    assert not set(drawn(None)) & set(drawn(None))


@pytest.mark.parametrize("format", ["int4", "int8", "mxfp4", "nvfp4"])
@pytest.mark.parametrize("seed", [0, 1])
def test_draws_as_often_as_it_is_told(format: str, seed: int) -> None:
    """By the judge's own tests, in formats with each sort of scale."""
    how = Storage(format, {"rounding": "stochastic"})
    offered = OptimizerCapability(
        rule="sgd", arithmetic="ieee_float32_strict", variant=format, storage={"b": how}
    )
    [check] = [c for c in KINDS["optimizer"].checks(offered) if c.name == draws.NAME]
    found = run_check(Backend(), check, level="standard", seed=seed, told=False)
    assert found.verdict == "pass", found.message


@pytest.mark.parametrize("name", SPLITS)
@pytest.mark.parametrize("rest", ["bits", "fraction", "signed_bits"])
def test_keeps_numbers_in_two_parts(name: str, rest: Any) -> None:
    """Bits as the reference does, fractions as float32 allows, for numbers of every size."""
    rounding: Any = "nearest_away" if rest == "fraction" else "nearest_even"
    split, h = SPLITS[name], splits.Hyper(rest=rest, rounding=rounding)
    how = storages.kept(name, h)
    x = np.random.default_rng(0).integers(0, 2**32, 40_000, np.uint32).view(np.float32)
    x = np.append(x[np.isfinite(x)], np.array([0.0, -0.0, 1e-45, np.inf, -np.inf], np.float32))
    code, part = encoded(how, x)
    high = code.view(ml_dtypes.bfloat16)
    due, due_high = split.encode(h, x.astype(np.float64))
    np.testing.assert_array_equal(code, due_high.astype(ml_dtypes.bfloat16).view(np.uint16))
    whole = np.isfinite(high.astype(np.float64))
    if rest == "fraction":
        low, most = split.admissible(h, x.astype(np.float64), high)
        rank = split.rank(part)
        assert np.all(((low <= rank) & (rank <= most))[whole])
    else:
        np.testing.assert_array_equal(part, due)
    back = decoded(how, code, part, x.size)
    exact = split.decode(h, part, high)
    back, exact = back[whole].astype(np.float64), exact[whole]
    finite = np.isfinite(exact)
    np.testing.assert_array_equal(back[~finite], exact[~finite])
    allowed = (2.0**-24 if rest == "fraction" else 0) * np.abs(exact[finite]) + 1e-45
    assert np.all(np.abs(back[finite] - exact[finite]) <= allowed)


def test_parameters_are_rounded_by_chance() -> None:
    """By stochastic rounding bfloat16 parameters move by less than their spacing on average."""
    n = 4096
    p, g = (np.full(n, x, np.float32).astype(ml_dtypes.bfloat16) for x in (1.0, 1.0))
    state = {name: [np.zeros(n, np.float32)] for name in "mv"}
    stochastic = QUANTIZERS["bfloat16"].Hyper(rounding="stochastic")
    kept = {"params": storages.kept("bfloat16", stochastic)}
    h = adamw.Hyper(decay="before", lr=1e-3, weight_decay=0.0)
    Plan("adamw", [p], [g], state, kept=kept, seed=0).step(h, 1)
    values = p.astype(np.float64)
    assert set(values) == {1.0, 1 - 2.0**-8}
    # A quarter goes down; a deviation of 2^-5 is four standard deviations and a half.
    assert abs(np.mean(values != 1.0) - 2.0**8 * 1e-3) < 2.0**-5


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: _core.Storage("nf5"), "storage must be one of float32, bfloat16, "),
        (lambda: _core.Storage("blocks", 64), "storage blocks takes a format"),
        (lambda: storages.kept("nf4", QUANTIZERS["nf4"].Hyper(block_size=96)), "power of two"),
        (lambda: storages.kept("nf4", QUANTIZERS["nf4"].Hyper(block_size=1)), "at least two codes"),
        (
            lambda: _core.encode(
                kept_by("nf4")["m"].storage, np.ones(9, np.float32), NO_SCALES, NO_SCALES
            ),
            "code must have 5 bytes at least, got 0",
        ),
        (
            lambda: _core.encode(
                kept_by("nf4")["m"].storage,
                np.ones(9, np.float32),
                np.empty(5, np.uint8),
                NO_SCALES,
            ),
            "scale must have 4 bytes at least, got 0",
        ),
        (
            lambda: storages.kept("bfloat16_rest8", splits.Hyper(rounding="toward_zero")),
            "rounding must be 'nearest_even' of a rest in bits, got 'toward_zero'",
        ),
        (
            lambda: _core.encode(
                _core.Storage("split_bits_16"),
                np.ones(9, np.float32),
                np.empty(18, np.uint8),
                np.empty(17, np.uint8),
            ),
            "scale must have 18 bytes at least, got 17",
        ),
        (lambda: storages.kept("q4_k", QUANTIZERS["q4_k"].Hyper()), "no storage 'q4_k'"),
    ],
)
def test_says_what_is_wrong(make: Any, told: str) -> None:
    """A storage that is not there, what it is not told, and arrays that are too short."""
    with pytest.raises(ValueError, match=told):
        make()
