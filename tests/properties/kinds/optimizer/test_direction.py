"""The direction of rounding: kernels that truncate are found, others are not."""

import numpy as np
import pytest
from scipy.stats import binom

from truestep.fast.protocol import OptimizerCapability, Stepped
from truestep.properties.arithmetic.in_sequence import in_sequence
from truestep.properties.arithmetic.lift import plain, stepped
from truestep.properties.arithmetic.sampled import FALSE_ALARM
from truestep.properties.kinds.optimizer import direction
from truestep.properties.kinds.table import KINDS
from truestep.properties.museum.plant import Kernel
from truestep.properties.run.plan import run_check
from truestep.reference.optimizers import OPTIMIZERS

pytestmark = pytest.mark.power


def _check(capability):
    [check] = [c for c in KINDS["optimizer"].checks(capability) if c.name == direction.NAME]
    return check


class Stored:
    """The reference in float64 or another lift, whose results are stored by a given rounding."""

    def __init__(self, rule, stored, lift=plain, **declared):
        self.name, self.rule, self.stored, self.lift = "stored", OPTIMIZERS[rule], stored, lift
        self.capability = OptimizerCapability(rule=rule, **declared)

    def capabilities(self):
        """The one."""
        return [self.capability]

    def optimizer_step(self, capability, groups):
        """One step on every slot."""
        return [[self._step(group.hyper, slot) for slot in group.slots] for group in groups]

    def _step(self, hyper, slot):
        due = stepped(self.rule, hyper, slot, self.lift())
        with np.errstate(all="ignore"):
            kept = {name: self.stored(np.asarray(x)) for name, x in due.items()}
        arrays = {name: x for name, x in slot.state.items() if not isinstance(x, int)}
        state = {name: kept[name].astype(x.dtype) for name, x in arrays.items()}
        return Stepped(kept["p"].astype(slot.param.dtype), {"t": slot.state["t"] + 1, **state})


def _nearest(x):
    return x.astype(np.float32)


def _toward_zero(x):
    near = x.astype(np.float32)
    return np.where(np.abs(near) > np.abs(x), np.nextafter(near, np.float32(0)), near)


def _downwards(x):
    near = x.astype(np.float32)
    return np.where(near > x, np.nextafter(near, np.float32(-np.inf)), near)


def _in_tensors(least, most):
    """Toward zero where a tensor has between so many elements, else to nearest."""

    def stored(x):
        return _toward_zero(x) if least <= x.size < most else _nearest(x)

    return stored


@pytest.mark.parametrize("least", [273, 1000, 4096])
def test_directed_rounding_in_large_tensors_alone_is_found(least):
    """As in small ones alone."""
    for sizes in ((least, 10**6), (0, least)):
        backend = Stored("adamw", _in_tensors(*sizes))
        result = run_check(backend, _check(backend.capability), level="smoke", seed=0, told=False)
        assert result.verdict == "fail", result.message
        assert ("in thousands of elements" in result.message) == (sizes[0] > 0)


APPLIED = [name for name in OPTIMIZERS if direction.applies(OptimizerCapability(rule=name))]


@pytest.mark.parametrize("rule", APPLIED)
def test_directed_rounding_of_stores_is_found(rule):
    """In every rule, with any seed; the same values rounded to nearest pass."""
    verdicts = {}
    for seed, stored in enumerate((_nearest, _toward_zero, _downwards)):
        backend = Stored(rule, stored)
        check = _check(backend.capability)
        verdicts[stored.__name__] = run_check(
            backend, check, level="smoke", seed=seed, told=False
        ).verdict
    assert verdicts == {"_nearest": "pass", "_toward_zero": "fail", "_downwards": "fail"}


def test_sums_of_squares_of_few_bits_lean_by_themselves():
    """FTRL's n, of gradients in bfloat16, is not judged; z and p still are."""
    verdicts = []
    for stored in (_nearest, _toward_zero):
        backend = Stored("ftrl", stored, format="bfloat16", arithmetic="bfloat16_params")
        result = run_check(backend, _check(backend.capability), level="smoke", seed=0)
        verdicts.append(result.verdict)
        assert "those in which n leans" not in result.message
    assert verdicts == ["pass", "fail"]


def test_norms_of_numbers_of_few_bits_lean_by_themselves():
    """Adafactor's m, of steps as long as a parameter in bfloat16; truncated stores are found."""
    declared = {
        "dialect": {"decay": "step", "momentum": "of_step", "step_size": "constant"},
        "format": "bfloat16",
        "arithmetic": "bfloat16_params",
    }
    verdicts = []
    for stored in (_nearest, _toward_zero):
        backend = Stored("adafactor", stored, in_sequence, **declared)
        result = run_check(backend, _check(backend.capability), level="smoke", seed=0)
        verdicts.append(result.verdict)
        assert "m leans toward zero in thousands" not in result.message
    assert verdicts == ["pass", "fail"]


@pytest.mark.parametrize("rule", ["adamw", "lamb", "nadam", "rmsprop", "signum"])
def test_float32_arithmetic_in_the_lines_own_order_passes(rule):
    """Its constants are rounded once for a whole tensor, which is no direction of the kernel."""
    for seed in range(3):
        backend = Kernel(rule)
        result = run_check(backend, _check(backend.capability), level="smoke", seed=seed)
        assert result.verdict == "pass", result.message


def test_a_format_is_named_where_a_sixteen_bit_store_truncates():
    """The message counts cases and says which way they lean."""
    backend = Stored("sgd", _toward_zero)
    result = run_check(backend, _check(backend.capability), level="smoke", seed=0)
    assert "those in which" in result.message
    assert "leans toward zero" in result.message


@pytest.mark.parametrize("count", [31, 40, 57, 72])
def test_the_limit_is_exceeded_by_chance_as_rarely_as_stated(count):
    """The exact probability that a fair coin exceeds it, on either side."""
    limit = direction.limit(count)
    above = (count + limit) // 2
    assert limit < count
    assert 2 * binom.sf(above, count, 0.5) <= FALSE_ALARM


def test_no_direction_is_asked_of_what_is_not_declared_to_round_to_nearest():
    """Flushed subnormals, coarse divisions, float64, and hyperparameters that no format holds."""
    assert direction.applies(OptimizerCapability(rule="adamw"))
    assert direction.applies(OptimizerCapability(rule="adamw", fixed={"eps": 0.0}))
    assert not direction.applies(OptimizerCapability(rule="adamw", fixed={"eps": 1e-8}))
    float64 = OptimizerCapability(rule="adamw", format="float64", arithmetic="ieee_float64")
    assert not direction.applies(float64)
