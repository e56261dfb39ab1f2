"""Soundness of the sampled contract: kernels in float32 must not leave it.

The kernels are NumPy in float32 on the reference's own lines, with decompositions in float64, as
NumPy has them, and with LAPACK's of single precision in four orders, on drawn hyperparameters,
shapes, scales and states; they are judged as a backend is. By chance one may fail with the
probability FALSE_ALARM. What this does not show: soundness for orders of evaluation that none of
them takes, or for formats narrower than float32.
"""

from collections.abc import Callable, Iterator

import numpy as np

from truestep.fast.protocol import Slot, Stepped
from truestep.properties.arithmetic.lift import Lift, plain, stepped
from truestep.properties.arithmetic.profiles import PROFILES
from truestep.properties.judge.contracts import Judgement
from truestep.properties.kinds.optimizer import sampling
from truestep.properties.soundness.bounded import Record, drawn_hyper, drawn_slot, recorded
from truestep.properties.soundness.single import ORDERS, Single
from truestep.reference.declared import Hyper
from truestep.reference.optimizers import OPTIMIZERS, Rule
from truestep.reference.validation import Array

FLOAT32 = PROFILES["ieee_float32"]
RULES = tuple(name for name, rule in OPTIMIZERS.items() if rule.FACTS.observables)
# Elements per tensor, a vector or a matrix of four rows.
_ELEMENTS = (4, 12, 20, 32, 64)

Kernel = Callable[[Rule, Hyper, Slot], Stepped]


def narrow_step(rule: Rule, hyper: Hyper, slot: Slot) -> Stepped:
    """One step of the reference's lines on float32 arrays."""
    out = stepped(rule, hyper, slot, plain(np.float32))
    return Stepped(out.pop("p"), out)


def single_step(order: int) -> Kernel:
    """One step of the reference's lines in single precision throughout, in one of the orders."""

    def cast(x: Array) -> Array:
        return Single.of(x, order)

    def stored(_: str, x: Array) -> Array:
        return int(x) if isinstance(x, int) else np.asarray(x, np.float32)

    def kernel(rule: Rule, hyper: Hyper, slot: Slot) -> Stepped:
        out = stepped(rule, hyper, slot, Lift(cast, lambda _, x: x, stored))
        return Stepped(out.pop("p"), out)

    return kernel


KERNELS: tuple[Kernel, ...] = (narrow_step, *map(single_step, range(ORDERS)))


def judgements(
    name: str, seed: int, case: int, kernel: Kernel | None = None
) -> Iterator[tuple[str, Judgement]]:
    """The observables of a drawn case, as a kernel computes them, judged; they take turns."""
    kernel = kernel or KERNELS[case % len(KERNELS)]
    rule = OPTIMIZERS[name]
    rng = np.random.default_rng((seed, case))
    hyper = drawn_hyper(rule, rng, case)
    elements = _ELEMENTS[int(rng.integers(len(_ELEMENTS)))]
    ranges = ((-8, 3), (-3, 2), (-8, 4))
    slot = drawn_slot(rule, hyper, FLOAT32, rng, elements=elements, ranges=ranges)
    try:
        new = kernel(rule, hyper, slot)
    except np.linalg.LinAlgError:
        return  # the reference refuses this input too
    yield from sampling.judgements(rule, hyper, slot, new, FLOAT32)


def soundness(name: str, examples: int, seed: int = 0) -> Record:
    """Judge so many float32 steps of a rule; every dialect value and kernel takes its turn."""
    found = (
        (j, {"tensor": tensor, "seed": seed, "case": case})
        for case in range(examples)
        for tensor, j in judgements(name, seed, case)
    )
    return recorded(name, FLOAT32.name, examples, found)
