"""Single steps that decide between forms which agree on a run, and show what is out of reach."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from truestep.fast.locating import BrokenBackend
from truestep.fast.protocol import Array, Capability, Group, Shapes, Slot, Stepped
from truestep.fast.wrapped import search, trials
from truestep.fast.wrapped.search import Found, Tried
from truestep.fast.wrapped.trials import Named
from truestep.reference.declared import Count, Flag, Real, fields_of
from truestep.reference.optimizers import OPTIMIZERS

# A difference is measured by the largest change of the step, and by the parameter's rounding: of a
# form that was found by less, by as much as it was off.
_WITHIN, _OFF = 1e-4, 4.0
# Counts at which rules that warm up change their form, with the rule's default numbers.
_COUNTS = (*range(1, 9), 20, 1000, 10**6)
_SPECIAL = (0.0, np.nan, np.inf, -np.inf, 1e-8)
# Parameters on which forms are told apart that differ by their rounding alone.
_MANY = 4096
# Values that stand for a number which may not be 0.
_MOST_VALUES = 4


class Steps(Protocol):
    """What a backend of optimizers does."""

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> Sequence[Sequence[Stepped]]:
        """One step of every tensor of every group."""
        ...


Build = Callable[[Found], tuple[Steps, Capability]]


@dataclass(frozen=True, slots=True)
class Probe:
    """One step. number: the field that is at its simplest value here, if that is what is asked."""

    hyper: Named
    state: Named
    param: Array
    grad: Array
    number: str = ""


def settled(tried: Tried, build: Build) -> Found:
    """The form that agrees with the optimizer on most probes, with its limits; the nearest wins."""
    found = tried.found[0]
    backend, capability = build(found)
    numbers = {f: found.hyper[f] for f in found.numbers}
    plain = Probe(numbers, *tried.walk[-2], tried.grads[-1])
    if not _agrees(found, plain, _answer(backend, capability, plain)):
        raise BrokenBackend(
            f"{found.rule} is what it computes, but its state cannot be handed over: a step from "
            "given tensors differs from the same step of its own run"
        )
    answers = [
        (probe, _answer(backend, capability, probe)) for probe in _probes(found, tried.walk[-1])
    ]
    score = {
        index: sum(_agrees(each, probe, answer) for probe, answer in answers)
        for index, each in enumerate(tried.found)
        if each.shapes == found.shapes and _places(each) == _places(found)
    }
    most = [index for index, points in score.items() if points == max(score.values())]
    if len(most) > 1 and OPTIMIZERS[found.rule].FACTS.elementwise:
        exact = {index: _exact(tried.found[index], backend, capability, plain) for index in most}
        most = [index for index in most if exact[index] == max(exact.values())]
    found = tried.found[most[0]]
    agreed = {probe.number for probe, answer in answers if _agrees(found, probe, answer)}
    wrong = [name for name in {p.number: "" for p, _ in answers} if name not in {*agreed, ""}]
    found = _limited(found, wrong)
    backend, capability = build(found)
    return replace(
        found,
        shapes=_shapes(found, backend, capability, plain),
        single=_single(backend, capability, plain),
    )


def _places(found: Found) -> dict[str, tuple[object, ...]]:
    return {f: (p.where, p.name, p.negative) for f, p in found.state.items()}


def _probes(found: Found, last: tuple[Named, Array]) -> Iterator[Probe]:
    rule = OPTIMIZERS[found.rule]
    state, p = last
    g = trials.drawn(p.shape, seed=7)[1][0]
    numbers = {f: found.hyper[f] for f in found.numbers}
    off = {f: False for f in found.numbers if isinstance(rule.Hyper.RANGES[f], Flag)}
    for name in found.numbers:
        if (value := _simplest(rule.Hyper.RANGES[name], found.hyper[name])) is not None:
            for switches in ({}, off):
                yield Probe({**numbers, **switches, name: value}, state, p, g, name)
    special = g.copy()
    special.flat[: len(_SPECIAL)] = _SPECIAL[: special.size]
    yield Probe(numbers, state, p, special)
    for scaled in (np.zeros_like(p), 1e-3 * p, 1e3 * p):
        yield Probe(numbers, state, scaled, g)
    hyper = rule.Hyper(**found.hyper)
    start = fields_of(rule.init(hyper, p))
    for gradient in (g, np.zeros_like(g), 1e-8 * g, special):
        yield Probe(numbers, start, p, gradient)
    default = {f: getattr(rule.Hyper(), f) for f in found.numbers}
    default["lr"] = numbers.get("lr", 0.01)
    for t in _COUNTS:
        yield Probe({f: default[f] for f in found.numbers}, {**state, "t": t}, p, g)


def _simplest(limits: object, alive: object) -> object:
    """A value that removes a term, or turns a switch; None where there is none."""
    if isinstance(limits, Flag):
        return not alive
    if isinstance(limits, (Count, Real)):
        try:
            limits.check("0", 0)
        except ValueError:
            return None
        return 0 if isinstance(limits, Count) else 0.0
    return None


def _answer(backend: Steps, capability: Capability, probe: Probe) -> Stepped | None:
    """What the optimizer makes of a probe; None where it raises."""
    rule = OPTIMIZERS[capability.rule]
    try:
        hyper = rule.Hyper(**{**capability.dialect, **probe.hyper})
        slot = Slot(probe.param.copy(), probe.grad.copy(), dict(probe.state))
        with np.errstate(all="ignore"):
            return backend.optimizer_step(capability, [Group(hyper, [slot])])[0][0]
    except Exception:  # of whatever the optimizer raises
        return None


def _agrees(found: Found, probe: Probe, answer: Stepped | None) -> bool:
    if answer is None:
        return False
    try:
        state, p = search.evaluated(found, probe.hyper, probe.state, probe.param, probe.grad)
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return False
    finite = np.abs(p - probe.param)[np.isfinite(p)]
    size = float(np.max(finite, initial=0.0))
    if not _near(answer.param, p, max(1.0, _OFF * found.error / _WITHIN) * size):
        return False
    return all(
        _near(answer.state[f], state[f], float(np.max(np.abs(state[f]), initial=0.0)))
        for f in found.state
    )


def _exact(found: Found, backend: Steps, capability: Capability, plain: Probe) -> int:
    """Of many float32 parameters, how many the form computes to the last bit, in its own order."""

    def many(x: object) -> object:
        # Tensors of the state that are not shaped like the parameter are numbers.
        like = isinstance(x, np.ndarray) and x.shape == plain.param.shape
        return np.resize(x, _MANY).astype(np.float32) if like else x  # type: ignore[call-overload]

    rng = np.random.default_rng(3)
    param, grad = (x.astype(np.float32) for x in rng.normal(size=(2, _MANY)))
    state = {name: many(x) for name, x in plain.state.items()}
    answer = _answer(backend, capability, Probe(plain.hyper, state, param, grad))
    if answer is None:
        return 0
    _, due = search.evaluated(found, plain.hyper, state, param, grad)
    return int(np.sum(due.astype(np.float32) == answer.param))


def _near(got: Array, due: Array, size: float) -> bool:
    got, due = np.asarray(got, np.float64), np.asarray(due, np.float64)
    if got.size != due.size:
        return False
    got = got.reshape(due.shape)
    if not np.array_equal(np.isfinite(got), np.isfinite(due)):
        return False
    finite = np.isfinite(due)
    if not np.array_equal(got[~finite], due[~finite], equal_nan=True):
        return False
    size = size if np.isfinite(size) else 0.0
    # float32 inside: a rounding of the parameter is no difference.
    rounding = 2.0**-21 * np.abs(due[finite])
    return bool(np.all(np.abs(got[finite] - due[finite]) <= _WITHIN * size + rounding))


def _limited(found: Found, wrong: Sequence[str]) -> Found:
    """The found form without the values at which it disagrees, and with all that is fixed."""
    rule = OPTIMIZERS[found.rule]
    fixed = {f: found.hyper[f] for f in rule.Hyper.RANGES if f not in found.numbers}
    numbers = dict(found.numbers)
    for name in wrong:
        limits = rule.Hyper.RANGES[name]
        if isinstance(limits, Flag):
            fixed[name] = found.hyper[name]
            if name == "maximize":
                del numbers[name]
        else:
            usual = dict.fromkeys(x for x in (found.hyper[name], *limits.usual) if x)
            fixed[name] = tuple(usual)[:_MOST_VALUES]
    return replace(found, numbers=numbers, fixed=fixed)


def _shapes(found: Found, backend: Steps, capability: Capability, plain: Probe) -> Shapes:
    """The tensors that the optimizer takes."""
    if found.shapes == "matrices":
        return "matrices"
    rule = OPTIMIZERS[found.rule]
    nothing = np.zeros(0)
    state = fields_of(rule.init(rule.Hyper(**found.hyper), nothing))
    empty = Probe(plain.hyper, state, nothing, nothing)
    return "any" if _agrees(found, empty, _answer(backend, capability, empty)) else "nonempty"


def _single(backend: Steps, capability: Capability, plain: Probe) -> bool:
    """Whether two tensors in a group step otherwise than each alone, where a rule may ask it."""
    rule = OPTIMIZERS[capability.rule]
    if rule.FACTS.elementwise:
        return False
    hyper = rule.Hyper(**{**capability.dialect, **plain.hyper})
    slots = [Slot(plain.param.copy(), x * plain.grad, dict(plain.state)) for x in (1.0, 2.0)]
    try:
        [together] = backend.optimizer_step(capability, [Group(hyper, slots)])
        alone = [backend.optimizer_step(capability, [Group(hyper, [s])])[0][0] for s in slots]
    except Exception:  # of whatever the optimizer raises
        return True
    return any(
        not np.allclose(one, other, rtol=trials.ROUNDED, atol=0)
        for x, y in zip(together, alone, strict=True)
        for one, other in [(x.param, y.param), *((x.state[f], y.state[f]) for f in x.state)]
    )
