"""What is asked of every reference, asked of one by name: its text, its lines, its laws.

The tests of ours ask it of ours; ``truestep.testing.assert_reference`` of a rule of one's own.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np

from truestep.fast.protocol import Backend, Capability, OptimizerCapability, ScheduleCapability
from truestep.fast.reference_backend import Backend as References
from truestep.properties.kinds.optimizer.contract import choose_contract
from truestep.properties.kinds.table import KINDS
from truestep.properties.laws.claims import PREFIX
from truestep.properties.museum.plant import Kernel
from truestep.properties.run.plan import run_check
from truestep.properties.soundness import exactly
from truestep.properties.soundness.bounded import choices
from truestep.reference.optimizers import OPTIMIZERS
from truestep.reference.quantizers import QUANTIZERS
from truestep.reference.rules import Optimizer
from truestep.reference.schedules import SCHEDULES

HEADINGS = ("Rule", "Shapes", "Domain", "Choices", "Special cases", "Judged", "Sources")
# Cases in 60 digits: each choice has its turn twice.
_ROUNDS = 2
_RUNS = 12
_SHAPES = ((), (0,), (5,), (2, 3))


def faults(rule: str) -> Iterator[str]:
    """What is wrong with an optimizer, a schedule or a quantizer, in a line for each fault."""
    try:
        yield from _faults(rule)
    except TypeError as error:
        yield f"its lines cannot be run in other arithmetics: {error}"


def _faults(rule: str) -> Iterator[str]:
    if rule in OPTIMIZERS:
        module = OPTIMIZERS[rule]
        yield from _text(module.__doc__)
        yield from _writes(module)
        choose_contract(rule)
        if module.FACTS.observables is None:
            yield from _errs(exactly.steps(module, _ROUNDS * len(choices(module))))
        yield from _broken(References(), OptimizerCapability("optimizer", rule, *_EXACT))
    elif rule in SCHEDULES:
        yield from _text(SCHEDULES[rule].__doc__)
        yield from _errs(exactly.values(rule, SCHEDULES[rule], _RUNS))
        yield from _broken(References(), ScheduleCapability("schedule", rule, *_EXACT))
    elif rule in QUANTIZERS:
        # Codes follow from comparisons: its own lines have to be within what they call admissible.
        kernel = Kernel(rule)
        yield from _broken(kernel, kernel.capability, only="")
    else:
        raise ValueError(f"no optimizer, schedule or quantizer is named {rule!r}")


# The references' own format and arithmetic.
_EXACT = ("float64", "ieee_float64")


def _text(doc: str | None) -> Iterator[str]:
    lines = (doc or "").splitlines()
    if (found := tuple(line for line in lines if line in HEADINGS)) != HEADINGS:
        yield f"its docstring must have the headings {', '.join(HEADINGS)}, in this order; " + (
            f"it has {', '.join(found)}" if found else "it has none"
        )


def _writes(rule: Optimizer) -> Iterator[str]:
    """Whether a step of each form writes what it is given, or changes a shape or the count."""
    rng = np.random.default_rng(1)
    for dialect in choices(rule):
        for shape in _SHAPES[-1:] if rule.FACTS.matrices else _SHAPES:
            p, g = (np.asarray(rng.standard_normal(shape)) for _ in range(2))
            others = {
                name: rng.standard_normal(of(shape)) for name, of in rule.FACTS.inputs.items()
            }
            hyper = rule.Hyper(**dialect)
            state = rule.init(hyper, p)
            fields = {f.name: getattr(state, f.name) for f in dataclasses.fields(state)}
            for x in (p, g, *others.values(), *fields.values()):
                if isinstance(x, np.ndarray):
                    x.flags.writeable = False
            try:
                new, q = rule.step(hyper, state, p, g, **others)
            except ValueError as error:
                yield f"a step on shape {shape} with {dialect or 'its defaults'} raised {error}"
                return
            if np.shape(q) != shape or new.t != 1:
                yield f"a step on shape {shape} gives shape {np.shape(q)} and t = {new.t}"
                return


def _errs(compared: Iterator[exactly.Compared]) -> Iterator[str]:
    """Whether float64 leaves its bound, and whether that says anything."""
    elements = known = 0
    for each in compared:
        elements, known = elements + each.known.size, known + int(np.count_nonzero(each.known))
        if each.beyond:
            at = int(np.argmax(each.error - each.bound))
            error, bound = np.ravel(each.error)[at], np.ravel(each.bound)[at]
            yield f"float64 is {error:.3g} off the exact number, beyond {bound:.3g}: {each.told}"
            return
    if 2 * known < elements:
        yield f"nothing is known of {elements - known} of {elements} numbers: the bound is vacuous"


def _broken(backend: Backend, capability: Capability, only: str = PREFIX) -> Iterator[str]:
    """The checks, or the laws alone, that the rule's own lines do not pass."""
    for check in KINDS[capability.kind].checks(capability):
        if check.name.startswith(only):
            result = run_check(backend, check, level="smoke", seed=0, told=False)
            if result.verdict in ("crashed", "error", "fail"):
                said = result.message.partition("\n")[0]
                yield f"its own lines do not pass {check.name}: {said}"
