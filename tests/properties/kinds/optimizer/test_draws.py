"""Drawn codes of state: right draws of any sort pass, and what the museum has no fault of fails."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from truestep.fast.protocol import OptimizerCapability, Storage
from truestep.properties.kinds.optimizer import draws
from truestep.properties.museum.faults.draws import DRAWN
from truestep.properties.museum.kept import Noise, Stream, fresh
from truestep.properties.museum.plant import Kernel
from truestep.properties.run.plan import checks_of, run_check
from truestep.reference.quantizers import QUANTIZERS


def result(kernel: Kernel, seed: int = 0) -> Any:
    """The check of drawn codes."""
    [check] = [check for check in checks_of(kernel) if check.name == draws.NAME]
    return run_check(kernel, check, level="standard", seed=seed, told=False)


@pytest.fixture
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls that suffice for all but a bias of 2^-9."""
    monkeypatch.setattr(draws, "_CALLS", 12)


def eight_bits(low: int) -> Noise:
    """Eight random bits, and below them always the same: probabilities cut off, or up, or near."""
    return lambda stream, shape: fresh(stream, shape) & 0xFF00 | low


@pytest.mark.usefixtures("_few")
@pytest.mark.parametrize("low", [0, 0x80, 0xFF])
def test_eight_bits_are_enough(low: int) -> None:
    """As hardware's conversions draw."""
    found = result(Kernel("adamw", noise=eight_bits(low), storage=DRAWN))
    assert found.verdict == "pass", found.message


FORMATS = {
    "e4m3_blocks": {"block_size": 64},
    "int4": {"block_size": 64},
    "mxfp4": {},
    "nvfp4": {},
    "nvfp4_two_level": {"tensor_scale": 0.3},
}


@pytest.mark.usefixtures("_few")
@pytest.mark.parametrize("format", FORMATS)
def test_right_draws_pass_in_every_sort_of_format(format: str) -> None:
    """Whatever its scales, and whatever the seed."""
    storage = {"b": Storage(format, {**FORMATS[format], "rounding": "stochastic"})}
    for seed in range(3):
        found = result(Kernel("sgd", storage=storage), seed)
        assert found.verdict == "pass", found.message
        assert found.utilisation < 1.5


@pytest.mark.usefixtures("_few")
def test_one_tensor_a_call_is_enough() -> None:
    """Of what takes no two."""
    storage = {"b": Storage("int8", {"rounding": "stochastic"})}
    found = result(Kernel("sgd", storage=storage, single=True))
    assert found.verdict == "pass", found.message
    assert result(Kernel("sgd", storage=storage, single=True, noise=of_one_call)).verdict == "fail"


def of_one_call(stream: Stream, shape: tuple[int, ...]) -> Any:
    """The same in every call."""
    return fresh(replace(stream, call=0), shape)


def lanes(stream: Stream, shape: tuple[int, ...]) -> Any:
    """Two neighbours share a number."""
    return np.repeat(fresh(stream, (-(-int(np.prod(shape)) // 2),)), 2)[: np.prod(shape)].reshape(
        shape
    )


def thousands(stream: Stream, shape: tuple[int, ...]) -> Any:
    """The numbers of a thousand elements for the next thousand too."""
    numbers = fresh(stream, (-(-int(np.prod(shape)) // 2000), 1, 1000))
    return np.tile(numbers, (1, 2, 1)).reshape(-1)[: np.prod(shape)].reshape(shape)


@pytest.mark.usefixtures("_few")
def test_numbers_shared_at_any_distance_are_found() -> None:
    """One that is no power of two, too."""
    found = result(Kernel("adamw", noise=thousands, storage=DRAWN))
    assert found.verdict == "fail"
    assert "draws correlate" in found.message


@pytest.mark.usefixtures("_few")
def test_noise_away_from_zero_shows_where_signs_differ() -> None:
    """Of a signed state alone, whose elements go up or down by the same number."""
    storage = {"b": Storage("int8", {"rounding": "stochastic"})}
    found = result(Kernel("sgd", storage=storage, noise=lanes))
    assert found.verdict == "fail"
    assert "draws correlate" in found.message


class Exchanged(Kernel):
    """A kernel whose elements go up as often as they should go down."""

    def optimizer_step(self, capability: Any, groups: Any) -> Any:
        """Each code is mirrored between its two neighbours."""
        made = super().optimizer_step(capability, groups)
        quantizer, zero = QUANTIZERS["int8"], lambda stream, shape: np.full(shape, 2**16 - 1)
        cut = Kernel(self.rule, noise=zero, storage=capability.storage)
        ends = cut.optimizer_step(capability, groups)
        for row, other in zip(made, ends, strict=True):
            for new, toward in zip(row, other, strict=True):
                code = new.state["b_code"]
                rank, low = quantizer.rank(code), quantizer.rank(toward.state["b_code"])
                values = quantizer.all_values(None)[toward.state["b_code"]]
                away = np.where(rank == low, np.where(values < 0, -1, 1), 0)
                off = np.clip(low + away, 0, quantizer.ranks(None) - 1)
                new.state["b_code"][...] = quantizer.ranked[0][off]
        return made


@pytest.mark.usefixtures("_few")
def test_up_and_down_exchanged_is_found() -> None:
    """Over all elements as many go up as should; by their probability they do not."""
    storage = {"b": Storage("int8", {"rounding": "stochastic"})}
    assert result(Exchanged("sgd", storage=storage)).verdict == "fail"


def test_applies_to_drawn_codes_alone() -> None:
    """Also where the drawn rounding is one of several."""
    for rounding, due in (("nearest_even", False), (("nearest_even", "stochastic"), True)):
        how = Storage("int8", {"rounding": rounding})
        assert draws.applies(OptimizerCapability(rule="sgd", storage={"b": how})) is due
