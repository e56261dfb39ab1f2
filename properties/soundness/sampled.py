"""Soundness of the sampled contract: kernels in float32 must not leave it.

The kernel is NumPy in float32 on the reference's own lines, LAPACK's single-precision routines
included, on drawn hyperparameters, shapes, scales and states; it is judged as a backend is. By
chance it may fail with the probability FALSE_ALARM. What this does not show: soundness for orders
of evaluation that NumPy never takes, or for formats narrower than float32.
"""

from collections.abc import Callable, Iterator

import numpy as np

from truestep.fast.protocol import Slot, Stepped
from truestep.properties.arithmetic.lift import plain, stepped
from truestep.properties.arithmetic.profiles import PROFILES
from truestep.properties.judge.contracts import Judgement
from truestep.properties.kinds.optimizer import sampling
from truestep.properties.soundness.bounded import Record, drawn_hyper, drawn_slot, recorded
from truestep.reference.declared import Hyper
from truestep.reference.optimizers import OPTIMIZERS, Rule

FLOAT32 = PROFILES["ieee_float32"]
RULES = tuple(name for name, rule in OPTIMIZERS.items() if rule.FACTS.observables)
# Elements per tensor, a vector or a matrix of four rows.
_ELEMENTS = (4, 12, 20, 32, 64)

Kernel = Callable[[Rule, Hyper, Slot], Stepped]


def narrow_step(rule: Rule, hyper: Hyper, slot: Slot) -> Stepped:
    """One step of the reference's lines on float32 arrays."""
    out = stepped(rule, hyper, slot, plain(np.float32))
    return Stepped(out.pop("p"), out)


def judgements(
    name: str, seed: int, case: int, kernel: Kernel = narrow_step
) -> Iterator[tuple[str, Judgement]]:
    """The observables of a drawn case, as that kernel computes them, judged."""
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
    """Judge so many float32 steps of a rule; every dialect value takes its turn."""
    found = (
        (j, {"tensor": tensor, "seed": seed, "case": case})
        for case in range(examples)
        for tensor, j in judgements(name, seed, case)
    )
    return recorded(name, FLOAT32.name, examples, found)
