"""A schedule's values, twice: by the backend, and by the reference in error-carrying arithmetic."""

import types
from collections.abc import Callable, Sequence
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from truestep.fast.protocol import BackendUnavailable, ScheduleBackend, ScheduleCapability
from truestep.properties.arithmetic.bounded import Bounded
from truestep.properties.arithmetic.decision import every_branch
from truestep.properties.arithmetic.formats import format_named
from truestep.properties.arithmetic.lift import converted
from truestep.properties.arithmetic.profiles import ORACLE, Arithmetic, arithmetic_of
from truestep.properties.arithmetic.whole import Whole, counted
from truestep.properties.judge.calls import BackendRaised, Malformed, backend_call, require_list
from truestep.properties.judge.contracts import Judgement, judge
from truestep.reference.declared import Hyper
from truestep.reference.rules import Schedule
from truestep.reference.validation import Array

Values = NDArray[np.float64]


def values_of(
    backend: ScheduleBackend, capability: ScheduleCapability, hyper: Hyper, steps: Sequence[int]
) -> Values:
    """The backend's values at these steps, their number and kind verified.

    Raises Malformed, BackendRaised, or BackendUnavailable where it takes no such
    hyperparameters.
    """
    try:
        got = backend_call(backend.schedule_values, capability, hyper, list(steps))
    except BackendRaised as raised:
        if isinstance(raised.__cause__, BackendUnavailable):
            raise raised.__cause__ from None
        raise
    got = list(got) if isinstance(got, np.ndarray) and got.ndim == 1 else got
    require_list("values", got, len(steps))
    for t, x in zip(steps, got, strict=True):
        if isinstance(x, bool) or not isinstance(x, (int, float, np.floating)):
            raise Malformed(f"the value at t = {t} must be a real number, got {x!r}")
    return np.array([float(x) for x in got])


def ended(module: Schedule, hyper: Hyper, t: int) -> bool:
    """Whether the definition gives no value at t: past the end of a schedule that raises there."""
    return getattr(hyper, "after", "") == "raise" and t >= hyper.total_steps


def closed(module: Schedule, hyper: Hyper, steps: Sequence[int], arithmetic: Arithmetic) -> Bounded:
    """value(hyper, t) at these steps, with the error of a faithful kernel."""
    lifted, value = _lifted(hyper, arithmetic), _function(module, "value", arithmetic)
    number = partial(counted, arithmetic=arithmetic)

    def branches(t: int) -> list[Array]:
        return every_branch(lambda: value(lifted, Whole(t, number)))

    return _hull([module.value(hyper, t) for t in steps], [branches(t) for t in steps], arithmetic)


def advanced(
    module: Schedule,
    hyper: Hyper,
    steps: Sequence[int],
    last: Sequence[float],
    arithmetic: Arithmetic,
) -> Bounded:
    """The values at these steps from those of one step before (from nothing at step 0)."""
    lifted, advance = _lifted(hyper, arithmetic), _function(module, "advance", arithmetic)
    number = partial(counted, arithmetic=arithmetic)
    plain, found = [], []
    for t, lr in zip(steps, last, strict=True):
        if t == 0:
            first = closed(module, hyper, [0], arithmetic)
            plain.append(float(first.v[0]))
            found.append([first[0]])
        else:
            given = Bounded.hyper(float(lr), arithmetic)
            assert module.advance is not None
            plain.append(float(module.advance(hyper, t - 1, float(lr))))
            found.append([advance(lifted, Whole(t - 1, number), given)])
    return _hull(plain, found, arithmetic)


def unrolled(
    module: Schedule, hyper: Hyper, steps: Sequence[int], arithmetic: Arithmetic
) -> Bounded:
    """The closed form, with the error of a kernel that makes every value from the last one."""
    lifted, advance = _lifted(hyper, arithmetic), _function(module, "advance", arithmetic)
    number = partial(counted, arithmetic=arithmetic)
    wanted, errors = set(steps), {}
    lr: Array = closed(module, hyper, [0], arithmetic)[0]
    lr.host = True
    for t in range(max(steps, default=0) + 1):
        if t in wanted:
            errors[t] = float(np.max(lr.e))
        lr = advance(lifted, Whole(t, number), lr)
    v = np.array([float(module.value(hyper, t)) for t in steps])
    e = np.array([errors[t] for t in steps])
    return Bounded(v, e, arithmetic, format_named(arithmetic.hyper))


def contract(
    module: Schedule, capability: ScheduleCapability, hyper: Hyper, steps: Sequence[int]
) -> Bounded:
    """The values due at these steps of a run, with all the error a faithful kernel may make."""
    made, oracle = _both(module, capability, hyper, steps)
    return Bounded(made.v, made.e + oracle.e, made.arithmetic, made.format)


def judged(
    module: Schedule,
    capability: ScheduleCapability,
    hyper: Hyper,
    steps: Sequence[int],
    got: Values,
    last: Values | None = None,
) -> Judgement:
    """Judge values against the closed form, or each from the backend's own last one."""
    if last is None:
        return judge(got, *_both(module, capability, hyper, steps))
    arithmetic = arithmetic_of(capability.arithmetic)
    made = advanced(module, hyper, steps, list(last), arithmetic)
    if _is_oracle(arithmetic):
        return judge(got, made, made)
    return judge(got, made, advanced(module, hyper, steps, list(last), ORACLE))


def _both(
    module: Schedule, capability: ScheduleCapability, hyper: Hyper, steps: Sequence[int]
) -> tuple[Bounded, Bounded]:
    """The values with the error of the kernel, and with that of the reference."""
    arithmetic = arithmetic_of(capability.arithmetic)
    if capability.recursive:
        made = unrolled(module, hyper, steps, arithmetic)
        return made, closed(module, hyper, steps, ORACLE)
    made = closed(module, hyper, steps, arithmetic)
    return made, made if _is_oracle(arithmetic) else closed(module, hyper, steps, ORACLE)


def _is_oracle(arithmetic: Arithmetic) -> bool:
    """Whether host scalars are computed as the reference computes them."""
    fields = ("hyper", "counter", "ulps_division", "ulps_sqrt", "ulps_power", "ulps_function")
    return all(getattr(arithmetic, name) == getattr(ORACLE, name) for name in fields)


def _hull(
    plain: Sequence[Array], found: Sequence[Sequence[Array]], arithmetic: Arithmetic
) -> Bounded:
    """The float64 values, with an error that reaches every branch's interval."""
    v = np.array([float(x) for x in plain])
    with np.errstate(all="ignore"):
        e = np.array(
            [
                max(float(abs(b.v - x) + b.e) for b in branches)
                for x, branches in zip(v, found, strict=True)
            ]
        )
    return Bounded(v, np.where(np.isnan(e), np.inf, e), arithmetic, format_named(arithmetic.hyper))


def _lifted(hyper: Hyper, arithmetic: Arithmetic) -> Hyper:
    number = partial(counted, arithmetic=arithmetic)

    def convert(_: str, x: Array) -> Array:
        if isinstance(x, float):
            return Bounded.hyper(x, arithmetic)
        return Whole(x, number) if isinstance(x, int) else x

    return converted(hyper, convert)


@lru_cache(maxsize=256)
def _function(module: Schedule, name: str, arithmetic: Arithmetic) -> Callable[..., Array]:
    """The module's function, with its constant PI known only as well as the arithmetic holds it."""
    rounded = Bounded.hyper(np.pi, arithmetic)
    # sin(pi + d) = -d to first order: what the float64 pi lacks.
    e = rounded.e + abs(np.sin(np.pi))
    return over(module, name, Bounded(rounded.v, e, arithmetic, rounded.format, host=True))


def over(module: Schedule, name: str, pi: Array) -> Callable[..., Array]:
    """The module's function, over a namespace in which PI is the given number."""
    namespace = {**vars(module), "PI": pi}
    for key, item in vars(module).items():
        if isinstance(item, types.FunctionType) and item.__module__ == module.__name__:
            namespace[key] = types.FunctionType(
                item.__code__, namespace, key, item.__defaults__, item.__closure__
            )
    found: Callable[..., Array] = namespace[name]
    return found
