"""One line in the place of a tolerance typed by hand, for tests of one's own.

`assert_step` judges one optimizer step, `assert_schedule` a schedule's values, `assert_codes` what
a quantizer stored, `assert_stochastic` several draws of one tensor that was rounded by chance;
`bounds` gives the numbers themselves: what is due, and how far a faithful kernel may stray from it.
Each takes the reference's name of a rule (`truestep list optimizers`) or the module of one's own,
hyperparameters by name, and arrays of NumPy, PyTorch, JAX, CuPy, or whatever speaks DLPack. They
raise an AssertionError that shows the worst element, what is due there, the bound, and which other
tensors agree; and a ValueError for names and values that do not exist. `assert_reference` judges a
rule of one's own itself.

    from truestep.testing import assert_step

    def test_my_adamw():
        before = {"p": p, "g": g, "t": 2, "m": m, "v": v}
        after = my_adamw(before, lr=1e-3)
        assert_step("adamw", {"lr": 1e-3, "decay": "before"}, before, after)

What judges is loaded at the first call, so that importing this module costs little.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from truestep.arrays import Array
from truestep.arrays import array as _array

if TYPE_CHECKING:
    from truestep.fast.protocol import Slot, Storage
    from truestep.properties.arithmetic.profiles import Arithmetic
    from truestep.properties.judge.contracts import Judgement
    from truestep.properties.kinds.quantizer.step import Encoded, Subject
    from truestep.reference.declared import Hyper
    from truestep.reference.rules import Optimizer

__all__ = [
    "Bounds",
    "BeyondContract",
    "assert_codes",
    "assert_reference",
    "assert_schedule",
    "assert_step",
    "assert_stochastic",
    "bounds",
]

# The name of a rule, or the module of one's own.
Named: TypeAlias = str | ModuleType
# Numbers and choices by the names of a rule's Hyper, or that Hyper itself.
Hypers: TypeAlias = "Mapping[str, Any] | Hyper"
Found: TypeAlias = "Iterable[tuple[str, Judgement]]"
Item = TypeVar("Item")

# What a parameter's format says of the arithmetic, where none is named.
_ARITHMETICS = {
    "bfloat16": "bfloat16_params",
    "float16": "float16_params",
    "float32": "ieee_float32",
    "float64": "ieee_float64",
}


class BeyondContract(AssertionError):
    """Some element lies farther from what is due than any faithful kernel may put it."""


class Bounds(NamedTuple):
    """What is due of one tensor, in float64. error: how far a kernel that repeats the written lines
    may stray, storage included; infinite where nothing is certain. A kernel passes within twice it.
    """

    value: NDArray[np.float64]
    error: NDArray[np.float64]


def assert_step(
    rule: Named,
    hyper: Hypers,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    *,
    arithmetic: str | Arithmetic | None = None,
    storage: Mapping[str, Storage] = {},
) -> None:
    """Raise BeyondContract unless one step from before leads to after.

    before: "p" and "g", and the state by the names of the rule's State; t, the number of steps
    made, is 0 where it is not given, and then the state may be left out too. What the rule takes
    besides the gradient comes by its name. after: "p", and of the state what is to be judged.
    arithmetic: a name of `truestep list arithmetics`; by default float32, with p in its own format.
    storage: of state tensors that are kept as codes, how ({"m": Storage("dynamic_8bit", {...})});
    before and after then have "m_code" and "m_absmax" in the place of "m".
    """
    rule = _name(rule)
    module, h, slot = _step_of(rule, hyper, before, storage)
    told = _arithmetic(arithmetic, slot.param)
    got = {name: x if name == "t" else _array(x) for name, x in after.items()}
    if strange := got.keys() - {"p", *slot.state}:
        raise ValueError(f"after has {min(strange)!r}, not one of p, {', '.join(slot.state)}")
    if "p" not in got:
        raise ValueError("after lacks 'p', the parameter after the step")
    due = int(slot.state["t"]) + 1
    if "t" in got and int(got["t"]) != due:
        raise BeyondContract(f"{rule}: t is {got['t']}, due is {due}")
    _require(rule, _judged_step(module, h, slot, got, told), {"g": slot.grad, "p": slot.param}, got)


def bounds(
    rule: Named,
    hyper: Hypers,
    before: Mapping[str, Any],
    *,
    arithmetic: str | Arithmetic | None = None,
) -> dict[str, Bounds]:
    """What is due after one step from before, and the bound on a kernel's error, by tensor.

    The arguments are assert_step's. Raises ValueError for a rule of iterated matrix functions, of
    which no rigorous bound is of use: assert_step judges those by replicates.
    """
    from truestep.properties.arithmetic.bounded import Bounded
    from truestep.properties.arithmetic.lift import bounded, stepped
    from truestep.properties.arithmetic.profiles import ORACLE

    rule = _name(rule)
    module, h, slot = _step_of(rule, hyper, before, {})
    if module.FACTS.observables:
        raise ValueError(f"{rule} is judged by replicates, it has no bounds; use assert_step")
    told = _arithmetic(arithmetic, slot.param)
    kernel, oracle = (stepped(module, h, slot, bounded(of)) for of in (told, ORACLE))
    return {
        name: Bounds(np.array(x.v), np.where(np.isfinite(x.v), x.e + oracle[name].e, x.e))
        for name, x in kernel.items()
        if isinstance(x, Bounded)
    }


def assert_schedule(
    rule: Named,
    hyper: Hypers,
    steps: Sequence[int],
    values: Iterable[float],
    *,
    arithmetic: str | Arithmetic = "ieee_float64",
) -> None:
    """Raise BeyondContract unless the values are the schedule's after so many steps made each."""
    from truestep.fast.protocol import ScheduleCapability
    from truestep.properties.kinds.schedule.step import judged
    from truestep.reference.schedules import SCHEDULES

    rule = _name(rule)
    module = _named("schedule", SCHEDULES, rule)
    h = _hyper(module, hyper)
    got = np.asarray(list(values), np.float64)
    if got.shape != (len(steps),):
        raise ValueError(f"values must be {len(steps)} numbers, got {got.size}")
    capability = ScheduleCapability(rule=rule, format="float64", arithmetic=arithmetic)
    found = judged(module, capability, h, list(steps), got)
    _require(rule, [("lr", found)], {"t": np.asarray(list(steps))})


def assert_codes(
    quantizer: Named,
    hyper: Hypers,
    x: Any,
    stored: Mapping[str, Any],
    decoded: Any = None,
    *,
    arithmetic: str | Arithmetic = "ieee_float32",
) -> None:
    """Raise BeyondContract unless stored is a right encoding of the float32 tensor x.

    stored: "code", shaped like x, and what the format keeps besides ("absmax", "scale", ...).
    decoded: what is read of it, if that is to be judged too.
    """
    from truestep.properties.kinds.quantizer.step import judged
    from truestep.reference.quantizers import QUANTIZERS

    quantizer = _name(quantizer)
    module = _named("quantizer", QUANTIZERS, quantizer)
    h, numbers = _hyper(module, hyper), _array(x)
    out = _encoded(numbers, stored, decoded)
    found = judged(_quantizer_of(quantizer, arithmetic), h, out)
    wanted = [(name, j) for name, j in found if name != "decoded" or decoded is not None]
    _require(quantizer, wanted, {"x": numbers})


def assert_stochastic(
    quantizer: Named,
    x: object,
    draws: Sequence[object],
    hyper: Hypers | None = None,
    *,
    arithmetic: str | Arithmetic = "ieee_float32",
) -> None:
    """Raise BeyondContract unless draws are of x, the float32 tensor, rounded by chance.

    draws: at least two, of calls that have nothing to do with one another. Each is what
    assert_codes takes as stored; or of a format without scales ("bfloat16") the numbers themselves,
    shaped like x. Each number has to be one of the two neighbours of its element, the upper one as
    often as its place between them says, and no draw may repeat another, or a part of itself. A
    kernel has to draw 16 bits for bfloat16, 8 for small formats. A faithful kernel fails with
    probability 1e-9. Raises ValueError where there are too few draws to tell chance from rounding
    to nearest: eight of a tensor of four thousand numbers are enough.
    """
    from truestep.properties.kinds.quantizer import drawn
    from truestep.properties.kinds.quantizer.rounding_statistics import FALSE_ALARM
    from truestep.reference.quantizers import QUANTIZERS

    quantizer = _name(quantizer)
    module = _named("quantizer", QUANTIZERS, quantizer)
    if hyper is None or isinstance(hyper, Mapping):
        hyper = {"rounding": "stochastic", **(hyper or {})}
    h, numbers = _hyper(module, hyper), _array(x)
    if (rounding := getattr(h, "rounding", None)) != "stochastic":
        raise ValueError(f"rounding must be 'stochastic', got {rounding!r}")
    if numbers.dtype != np.float32:
        raise ValueError(f"x must be float32, got {numbers.dtype}")
    if len(draws) < 2:
        raise ValueError(f"draws must be at least 2, got {len(draws)}")
    coded = [each for each in draws if isinstance(each, Mapping)]
    if len(coded) not in (0, len(draws)) or (module.BLOCKS and not coded):
        raise ValueError("each of draws must be a mapping with 'code' and its scales")
    if coded:
        encoded = [_encoded(numbers, each, None) for each in coded]
        found = drawn.of_codes(_quantizer_of(quantizer, arithmetic), h, encoded)
    else:
        found = drawn.of_numbers(module, h, numbers, [_like(numbers, each) for each in draws])
    wanted = [(name, j) for name, j in found if name != "decoded"]
    told = [f"false-alarm probability {FALSE_ALARM:g}, {len(draws)} draws"]
    _require(quantizer, wanted, {"x": numbers}, remarks=told)


def _like(x: Array, draw: object) -> Array:
    found = _array(draw)
    if found.shape != x.shape:
        raise ValueError(f"each of draws must have the shape of x, {x.shape}, got {found.shape}")
    return found


def _quantizer_of(quantizer: str, arithmetic: str | Arithmetic) -> Subject:
    """The format, with nothing behind it that encodes."""
    from truestep.fast.protocol import QuantizerCapability
    from truestep.properties.kinds.quantizer.step import Subject

    capability = QuantizerCapability(rule=quantizer, arithmetic=arithmetic)
    return Subject(None, capability)  # type: ignore[arg-type]


def _encoded(x: Array, stored: Mapping[str, object], decoded: object) -> Encoded:
    """What was stored of x, and what is read of it."""
    from truestep.properties.kinds.quantizer.step import Encoded

    arrays = {name: _array(of) for name, of in stored.items()}
    if arrays.get("code", np.empty(0)).shape != x.shape:
        raise ValueError(f"stored must have 'code' of shape {x.shape}")
    back = np.zeros(x.shape, np.float32) if decoded is None else _array(decoded)
    return Encoded(x, arrays, back, arrays["code"])


def assert_reference(rule: Named) -> None:
    """Raise AssertionError unless a rule of one's own is written as ours are.

    Its docstring says what ours say, its steps write no input and keep shapes, it obeys the laws
    that it declares, and its lines in float64 agree with the same lines in 60 digits, within the
    bound that the judge grants a float64 kernel.
    """
    from truestep.properties.soundness.house import faults

    rule = _name(rule)
    if told := "; ".join(faults(rule)):
        raise AssertionError(f"{rule}: {told}")


def _named(kind: str, table: Mapping[str, Item], name: str) -> Item:
    if name not in table:
        near = get_close_matches(name, table, 3)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise ValueError(f"unknown {kind} {name!r}{hint} (`truestep list {kind}s`)")
    return table[name]


def _name(rule: Named) -> str:
    """The name under which a rule stands in its table, where it is put if it is one's own."""
    from truestep.reference import own

    if isinstance(rule, ModuleType):
        return own.added(rule)
    own.find(rule)
    return rule


def _hyper(module: Any, given: Hypers) -> Hyper:
    made: Hyper
    if isinstance(given, module.Hyper):
        made = given
        return made
    if not isinstance(given, Mapping):
        raise ValueError(f"hyper must be a mapping or a Hyper of this rule, got {given!r}")
    known = {*module.Hyper.RANGES, *module.Hyper.CHOICES}
    if strange := given.keys() - known:
        raise ValueError(f"hyper has {min(strange)!r}, not one of {', '.join(sorted(known))}")
    made = module.Hyper(**given)
    return made


def _arithmetic(given: str | Arithmetic | None, p: Array) -> Arithmetic:
    from truestep.properties.arithmetic.profiles import arithmetic_of

    if given is None:
        name = str(p.dtype)
        if name not in _ARITHMETICS:
            raise ValueError(f"p must be {', '.join(_ARITHMETICS)}, got {name}; name an arithmetic")
        given = _ARITHMETICS[name]
    return arithmetic_of(given)


def _step_of(
    rule: str, hyper: Hypers, before: Mapping[str, Any], storage: Mapping[str, Storage]
) -> tuple[Optimizer, Hyper, Slot]:
    """The rule that judges, its Hyper, and the slot before the step."""
    from truestep.fast.protocol import Slot
    from truestep.properties.kinds.optimizer.storage import with_storage
    from truestep.reference.declared import fields_of
    from truestep.reference.optimizers import OPTIMIZERS

    plain = _named("optimizer", OPTIMIZERS, rule)
    module, h = with_storage(plain, storage), _hyper(plain, hyper)
    if storage:
        told = {name: dict(how.hyper) for name, how in storage.items()}
        h = module.Hyper(**fields_of(h), storage=told)
    given = {name: x if name == "t" else _array(x) for name, x in before.items()}
    if missing := {"p", "g"} - given.keys():
        raise ValueError(f"before lacks {min(missing)!r}")
    p, g, t = given.pop("p"), given.pop("g"), int(given.pop("t", 0))
    if g.shape != p.shape:
        raise ValueError(f"g must have the shape of p, {p.shape}, got {g.shape}")
    inputs = {name: given.pop(name) for name in module.FACTS.inputs if name in given}
    state = fields_of(module.init(h, p.astype(np.float64)))
    if strange := given.keys() - state.keys():
        raise ValueError(f"before has {min(strange)!r}, not one of p, g, {', '.join(state)}")
    if t and (missing := state.keys() - given.keys() - {"t"}):
        raise ValueError(f"before lacks {min(missing)!r}, which t = {t} needs")
    fresh = {name: np.asarray(x) for name, x in state.items() if name != "t"}
    return module, h, Slot(p, g, {"t": t, **fresh, **given}, inputs)


def _judged_step(
    module: Optimizer, h: Hyper, slot: Slot, got: Mapping[str, Array], told: Arithmetic
) -> Iterator[tuple[str, Judgement]]:
    from truestep.fast.protocol import Stepped
    from truestep.properties.arithmetic.bounded import Bounded
    from truestep.properties.arithmetic.lift import bounded, stepped
    from truestep.properties.arithmetic.profiles import ORACLE
    from truestep.properties.judge.contracts import judge
    from truestep.properties.kinds.optimizer import sampling, stored
    from truestep.properties.kinds.optimizer.storage import StoredRule

    whole = isinstance(module, StoredRule) or module.FACTS.observables
    if whole and (missing := slot.state.keys() - got.keys() - {"t"}):
        raise ValueError(f"after lacks {min(missing)!r}, which this rule is judged with")
    state = {name: x for name, x in got.items() if name != "p"}
    new = Stepped(got["p"], {**state, "t": int(slot.state["t"]) + 1})
    if isinstance(module, StoredRule):
        for _, name, judgement in stored.judgements(module, h, [slot], [new], told):
            yield name, judgement
    elif module.FACTS.observables:
        yield from sampling.judgements(module, h, slot, new, told)
    else:
        kernel, oracle = (stepped(module, h, slot, bounded(of)) for of in (told, ORACLE))
        for name, due in kernel.items():
            if isinstance(due, Bounded) and name in got:
                yield name, judge(got[name], due, oracle[name])


def _require(
    rule: str,
    found: Found,
    inputs: Mapping[str, Array],
    got: Mapping[str, Array] = {},
    remarks: Sequence[str] = (),
) -> None:
    """Raise BeyondContract with the worst element, or where nothing could be judged.

    got: the tensors judged, of which an error is told in units of the last place too. remarks:
    lines that the message ends with.
    """
    from truestep.properties.judge.records import worst_lines
    from truestep.properties.judge.results import SLACK

    # Of a tensor that is judged twice, as its codes and its scales, the worse counts.
    worse: dict[str, tuple[float, Judgement]] = {}
    elements = 0
    for name, j in found:
        elements += j.elements
        if j.utilisation is not None and j.utilisation >= worse.get(name, (0.0, j))[0]:
            worse[name] = j.utilisation, j
    if not worse and elements:
        raise BeyondContract(f"{rule}: nothing could be judged: no element's value is certain")
    broken = {name: ratio for name, (ratio, _) in worse.items() if ratio > SLACK}
    if not broken:
        return
    worst = max(broken, key=lambda name: broken[name])
    j = worse[worst][1]
    index = j.index or ()
    place = f"{worst}[{', '.join(map(str, index))}]" if index else worst
    due = abs(float(j.oracle))
    at = {n: x[index] for n, x in inputs.items() if x.ndim == len(index) and x.size}
    agreeing = [name for name in worse if name not in broken]
    others = [f"{name} (utilisation {x:.4g})" for name, x in broken.items() if name != worst]
    lines = worst_lines(rule, place, j)
    beside = [f"relative error {abs(j.got - j.oracle) / due:.3g}"] if due and j.index else []
    ulps = _ulps(got.get(worst), j)
    beside += [f"{ulps:.4g} ulps of {got[worst].dtype}"] if ulps else []
    lines += [f"  {', '.join(beside)}"] if beside else []
    lines += ["  there: " + ", ".join(f"{n}={float(x)!r}" for n, x in at.items())] if at else []
    lines += [f"  beyond it too: {', '.join(others)}"] if others else []
    lines += [f"  within it: {', '.join(agreeing)}"] if agreeing else []
    lines += [f"  {remark}" for remark in remarks]
    raise BeyondContract("\n".join(lines))


def _ulps(got: Array | None, j: Judgement) -> float:
    """An error in units of the last place of what is due, in the format of the tensor.

    0 where it has none: of codes, and where what is due is beyond the format.
    """
    if got is None or got.dtype.kind in "iub":
        return 0.0
    import ml_dtypes

    limits = ml_dtypes.finfo(got.dtype)  # type: ignore[no-untyped-call]
    if not abs(j.oracle) <= float(limits.max) or not np.isfinite(j.got):
        return 0.0
    _, exponent = np.frexp(max(abs(j.oracle), float(limits.smallest_normal)))
    return float(abs(j.got - j.oracle) / np.ldexp(1.0, int(exponent) - 1 - limits.nmant))
