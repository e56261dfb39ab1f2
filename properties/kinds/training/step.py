"""One call of a training-loop piece: by the backend, and by the reference in other arithmetics."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from truestep.fast.host.walk import arrays_in
from truestep.fast.protocol import Array, Inputs, Outputs, TrainingBackend, TrainingCapability
from truestep.properties.arithmetic.bounded import Bounded
from truestep.properties.arithmetic.formats import Format, format_named
from truestep.properties.arithmetic.lift import bounded
from truestep.properties.arithmetic.profiles import ORACLE, Arithmetic, arithmetic_of
from truestep.properties.arithmetic.whole import Whole, counted
from truestep.properties.cases.tensors import TensorSpec, array
from truestep.properties.judge import truth
from truestep.properties.judge.calls import Malformed, backend_call, require_array, type_of
from truestep.properties.judge.contracts import Judged, Judgement, agreement, judge
from truestep.properties.kinds.training.cases import NOT_FINITE, TrainingCase
from truestep.reference.declared import Hyper
from truestep.reference.rules import Piece
from truestep.reference.training import TRAINING

Reading = Callable[[Hyper], Hyper]


def format_of(capability: TrainingCapability, name: str) -> Format:
    """The format of a named tensor: what the arithmetic stores it in, else the capability's."""
    storage = arithmetic_of(capability.arithmetic).storage
    return format_named(storage.get(name, storage.get("", capability.format)))


def drawn(capability: TrainingCapability, call: Mapping[str, object]) -> Outputs:
    """The inputs that a call of a case stands for."""
    compute = arithmetic_of(capability.arithmetic).format

    def made(name: str, x: object) -> object:
        if isinstance(x, TensorSpec):
            return array(x, format_of(capability, name))
        if isinstance(x, str) and x in NOT_FINITE:
            return NOT_FINITE[x]
        if isinstance(x, float):
            return float(compute.round(np.clip(x, -compute.largest, compute.largest)))
        return [made(name, item) for item in x] if isinstance(x, tuple) else x

    return {name: made(name, x) for name, x in call.items()}


def lifted(x: object, tensor: Callable[[Array], object], count: Callable[[int], object]) -> object:
    """An input with its tensors and numbers passed through tensor, its integers through count."""
    if isinstance(x, (list, tuple)):
        return [lifted(item, tensor, count) for item in x]
    if isinstance(x, (np.ndarray, float)):
        return tensor(np.asarray(x))
    if isinstance(x, (int, np.integer)) and not isinstance(x, bool):
        return count(int(x))
    return x


def evaluate(piece: Piece, hyper: Hyper, inputs: Inputs, arithmetic: Arithmetic) -> Outputs:
    """The reference's outputs in that arithmetic, as they are stored."""

    def tensor(x: Array) -> Bounded:
        return Bounded.exact(x, arithmetic)

    def count(n: int) -> Whole:
        return Whole(n, lambda k: counted(k, arithmetic))

    given = {name: lifted(x, tensor, count) for name, x in inputs.items()}
    with np.errstate(all="ignore"):
        out = piece.run(bounded(arithmetic).hyper(hyper), **given)
    return {name: _stored(name, x, arithmetic) for name, x in out.items()}


def _stored(name: str, x: object, arithmetic: Arithmetic) -> object:
    if isinstance(x, list):
        return [_stored(name, item, arithmetic) for item in x]
    if isinstance(x, Bounded):
        return x.stored(name)
    if isinstance(x, (float, np.ndarray, np.floating)):  # a constant of the reference
        return Bounded.exact(np.asarray(x, dtype=np.float64), arithmetic).stored(name)
    return x


def call(
    backend: TrainingBackend, capability: TrainingCapability, hyper: Hyper, inputs: Inputs
) -> Outputs:
    """The backend's outputs, their structure and its respect for inputs verified."""
    # A copy of the mapping: taking a name out of it is the backend's own matter.
    result = backend_call(backend.training_piece, capability, hyper, dict(inputs))
    if not isinstance(result, Mapping):
        raise Malformed(f"the result must be a mapping, got {type_of(result)}")
    return dict(result)


def lockstep(
    backend: TrainingBackend,
    capability: TrainingCapability,
    case: TrainingCase,
    reading: Reading = lambda h: h,
) -> Iterator[tuple[Inputs, list[Judged]]]:
    """Run a case; yield each call's inputs with its judgements.

    Every call is judged from the backend's own last state. reading: judge by another Hyper.
    """
    piece = TRAINING[capability.rule]
    hyper = piece.Hyper(**case.hyper)
    state: Outputs = {}
    for number, specified in enumerate(case.calls):
        inputs = {**drawn(capability, specified), **state}
        got = call(backend, capability, hyper, inputs)
        yield inputs, judged(capability, reading(hyper), inputs, got, number)
        state = {name: _next(got[name], inputs[name]) for name in got if name in inputs}


def _next(got: Array, was: object) -> object:
    """An output as the next call's input."""
    return float(got) if isinstance(was, float) else got


def judged(
    capability: TrainingCapability, hyper: Hyper, inputs: Inputs, got: Inputs, number: int = 0
) -> list[Judged]:
    """Every output of a call against the reference's."""
    piece = TRAINING[capability.rule]
    arithmetic = arithmetic_of(capability.arithmetic)
    expected = evaluate(piece, hyper, inputs, arithmetic)

    def found(oracle: Outputs) -> Iterator[tuple[tuple[int, str], Judgement]]:
        for name, due in expected.items():
            if name not in got:
                if name in piece.OPTIONAL:
                    continue
                raise Malformed(f"output {name!r} is missing; got {', '.join(got) or 'nothing'}")
            format = format_of(capability, name)
            parts = _parts(name, got[name], due)
            truths = oracle.get(name, [None] * len(parts))
            truths = truths if isinstance(truths, list) else [truths]
            for slot, ((x, bound), own) in enumerate(zip(parts, truths, strict=True)):
                if isinstance(bound, Bounded):
                    tensor = _array(name, x, bound, format, member=isinstance(due, list))
                    yield (slot, name), judge(tensor, bound, own)
                else:
                    whole = np.asarray(bound, dtype=np.float64)
                    yield (slot, name), agreement(_whole(name, x, bound), whole, None)

    nothing: Outputs = {}
    judged = truth.decided(
        found,
        nothing,
        lambda: evaluate(piece, hyper, inputs, ORACLE),
        measured=truth.measured(arithmetic, next((x for _, x in arrays_in(inputs)), np.zeros(0))),
    )
    return [Judged(number, 0, slot, name, judgement) for (slot, name), judgement in judged]


def _parts(name: str, got: object, due: object) -> list[tuple[object, object]]:
    if not isinstance(due, list):
        return [(got, due)]
    if not isinstance(got, Sequence) or len(got) != len(due):
        told = f"{len(got)} tensors" if isinstance(got, Sequence) else type(got).__name__
        raise Malformed(f"{name} must be a list of {len(due)} tensors, got {told}")
    return list(zip(got, due, strict=True))


def _array(name: str, got: object, due: Bounded, format: Format, *, member: bool) -> Array:
    number = isinstance(got, (float, np.floating)) and due.shape == () and not member
    if number or (isinstance(got, np.ndarray) and got.shape == () == due.shape and not member):
        return np.asarray(got)
    return require_array(name, got, due.shape, format.dtype)


def _whole(name: str, got: object, due: object) -> Array:
    flag = isinstance(due, (bool, np.bool_))
    if not isinstance(got, (bool, np.bool_) if flag else (int, np.integer)) or (
        not flag and isinstance(got, bool)
    ):
        word = "a bool" if flag else "an integer"
        raise Malformed(f"{name} must be {word}, got {got!r}")
    return np.asarray(float(got))
