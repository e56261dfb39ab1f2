"""Stochastic stores: fresh, unbiased noise passes every check, and none other does."""

import ml_dtypes
import numpy as np
import pytest

from truestep.fast.protocol import OptimizerCapability, Stepped
from truestep.properties.arithmetic.profiles import Arithmetic
from truestep.properties.kinds.optimizer import noise
from truestep.properties.kinds.table import KINDS
from truestep.properties.museum.plant import Kernel
from truestep.properties.run.plan import run_check

pytestmark = pytest.mark.power

STOCHASTIC = Arithmetic(
    "bfloat16_parameters_stochastic", storage={"p": "bfloat16"}, rounding="stochastic"
)

ALL_STOCHASTIC = Arithmetic("bfloat16_stochastic", storage={"": "bfloat16"}, rounding="stochastic")


def _cut(x, added):
    """float32 with 16 bits of noise added below bfloat16's last digit, and cut there."""
    bits = np.ascontiguousarray(x, np.float32).reshape(-1).view(np.uint32).astype(np.uint64)
    high = ((bits + added) >> np.uint64(16)).astype(np.uint16)
    cut = high.view(ml_dtypes.bfloat16).reshape(x.shape)
    return np.where(np.isfinite(x), cut, x.astype(ml_dtypes.bfloat16))


class Storing:
    """AdamW in float32, whose parameter is stored in bfloat16 with noise of some kind."""

    def __init__(self, drawn):
        self.name, self.drawn, self.rng = drawn.__name__, drawn, np.random.default_rng(0)
        self.lines = Kernel("adamw")

    def capabilities(self):
        """One, declared stochastic."""
        return [OptimizerCapability(rule="adamw", format="bfloat16", arithmetic=STOCHASTIC)]

    def optimizer_step(self, capability, groups):
        """The lines' step on float32, then the store."""
        return [[self._step(group.hyper, slot) for slot in group.slots] for group in groups]

    def _step(self, hyper, slot):
        wide = type(slot)(
            slot.param.astype(np.float32), slot.grad.astype(np.float32), slot.state, slot.inputs
        )
        with np.errstate(all="ignore"):
            new = self.lines._step(hyper, wide)
        return Stepped(_cut(new.param, self.drawn(self.rng, new.param.size)), new.state)


class StoringStates(Storing):
    """The same, whose moments are stored with noise of some kind; the parameter's is right."""

    def capabilities(self):
        """One, declared stochastic."""
        return [OptimizerCapability(rule="adamw", format="bfloat16", arithmetic=ALL_STOCHASTIC)]

    def _step(self, hyper, slot):
        wide = {k: np.float32(x) if k in "mv" else x for k, x in slot.state.items()}
        with np.errstate(all="ignore"):
            lifted = [x.astype(np.float32) for x in (slot.param, slot.grad)]
            new = self.lines._step(hyper, type(slot)(*lifted, wide, slot.inputs))
        moments = {k: _cut(new.state[k], self.drawn(self.rng, new.param.size)) for k in "mv"}
        p = _cut(new.param, fresh(self.rng, new.param.size))
        return Stepped(p, {**new.state, **moments})


def fresh(rng, size):
    """Textbook stochastic rounding."""
    return rng.integers(0, 2**16, size, dtype=np.uint64)


def nothing(rng, size):
    """Truncation."""
    return np.zeros(size, np.uint64)


def constant(rng, size):
    """One number for every element."""
    return np.full(size, 0x1234, np.uint64)


def one_stream(rng, size):
    """The same numbers for every tensor and every step."""
    return np.random.default_rng(1).integers(0, 2**16, size, dtype=np.uint64)


def half_as_much(rng, size):
    """15 bits of noise where 16 are cut: a bias toward zero."""
    return rng.integers(0, 2**15, size, dtype=np.uint64)


def in_pairs(rng, size):
    """Each number for two elements side by side."""
    return np.repeat(fresh(rng, size // 2), 2)


def by_row(rng, size):
    """The numbers of a row for the next one too."""
    return np.tile(fresh(rng, size // 2).reshape(-1, 1, 96), (1, 2, 1)).reshape(-1)


def from_both_ends(rng, size):
    """Each number for an element, and what is left of the range for the next one."""
    half = fresh(rng, size // 2)
    return np.stack([half, 2**16 - 1 - half], axis=1).reshape(-1)


def by_halves(rng, size):
    """The numbers of the first half for the second one."""
    return np.tile(fresh(rng, size // 2), 2)


def by_hundreds(rng, size):
    """The numbers of a hundred elements for the next hundred too: no power of two, and no row."""
    return np.resize(np.tile(fresh(rng, size // 200 * 100).reshape(-1, 1, 100), (1, 2, 1)), size)


class Exchanging(Storing):
    """Goes up where it is due to go down, where a condition on the number holds."""

    def __init__(self, where):
        super().__init__(fresh)
        self.where = where

    def _step(self, hyper, slot):
        new = super()._step(hyper, slot)
        wide = type(slot)(slot.param.astype(np.float32), slot.grad.astype(np.float32), slot.state)
        with np.errstate(all="ignore"):
            x = self.lines._step(hyper, wide).param
        cut = _cut(x, nothing(None, x.size))
        beyond = _cut(x, np.full(x.size, 2**16 - 1, np.uint64))
        other = np.where(new.param == cut, beyond, cut)
        return Stepped(np.where(self.where(x), other, new.param), new.state)


def _check(backend, name):
    [capability] = backend.capabilities()
    [check] = [c for c in KINDS["optimizer"].checks(capability) if c.name == name]
    return check


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("drawn", [nothing, constant, one_stream, half_as_much])
def test_other_noise_is_found(drawn, seed):
    """Whatever the seed."""
    backend = Storing(drawn)
    found = run_check(backend, _check(backend, noise.NAME), level="smoke", seed=seed, told=False)
    assert found.verdict == "fail", found.message
    assert "elements, those of which p" in found.message


@pytest.mark.parametrize("drawn", [in_pairs, by_row, from_both_ends, by_halves, by_hundreds])
def test_noise_that_a_few_elements_share_is_found(drawn):
    """By what they err by at that distance alone: each goes up as often as is due."""
    backend = Storing(drawn)
    found = run_check(backend, _check(backend, noise.NAME), level="smoke", seed=0, told=False)
    assert found.verdict == "fail", found.message
    assert "elements, those of which p errs as one at a distance" in found.message


@pytest.mark.parametrize("where", [lambda x: x == x, lambda x: x < 0, lambda x: x > 0])
def test_up_and_down_exchanged_is_found(where):
    """For all numbers, or those of one sign."""
    backend = Exchanging(where)
    found = run_check(backend, _check(backend, noise.NAME), level="smoke", seed=0, told=False)
    assert found.verdict == "fail", found.message
    assert "elements, those of which p goes up, by its " in found.message


@pytest.mark.parametrize("drawn", [fresh, nothing, constant, one_stream, half_as_much])
def test_noise_of_states_is_judged_too(drawn):
    """Of each moment by itself."""
    backend = StoringStates(drawn)
    found = run_check(backend, _check(backend, noise.NAME), level="smoke", seed=0, told=False)
    assert found.verdict == ("pass" if drawn is fresh else "fail"), found.message
    assert drawn is fresh or "elements, those of which m" in found.message or " v " in found.message


@pytest.mark.parametrize("seed", range(10))
def test_fresh_noise_passes(seed):
    """The counts stay within their limits, with room."""
    backend = Storing(fresh)
    found = run_check(backend, _check(backend, noise.NAME), level="smoke", seed=seed)
    assert (found.verdict, found.utilisation < 1.2) == ("pass", True), found.message


def test_all_checks_of_fresh_noise_pass():
    """Laws that compare bits compare those that chance does not decide."""
    backend = Storing(fresh)
    [capability] = backend.capabilities()
    for check in KINDS["optimizer"].checks(capability):
        found = run_check(backend, check, level="standard", seed=0)
        assert found.verdict in ("pass", "not_run"), found.message


def test_neighbours_enclose():
    """Numbers of the format are their own; the others lie between adjacent ones."""
    where = STOCHASTIC.stored("p")
    x = np.array([1.0, 1.001, -1.001, 0.0, 1e-3, 2.0 - 2**-9])
    low, high = noise.neighbours(x, where)
    assert list(low == high) == [True, False, False, True, False, False]
    assert np.all((low <= x) & (x <= high))
    assert np.all(where.round(low) == low) and np.all(where.round(high) == high)
    assert low[1] == 1.0 and high[1] == 1.0078125 and high[5] == 2.0
