"""The costs of a rule: what it keeps, computes and moves, counted on its reference's own lines."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

import numpy as np

from truestep.fast.ours import storages
from truestep.fast.protocol import Storage
from truestep.properties.costs.counted import Tally
from truestep.reference.declared import Hyper
from truestep.reference.optimizers import OPTIMIZERS, Rule
from truestep.reference.quantizers import QUANTIZERS
from truestep.reference.validation import Array

# A matrix of a small model: rules of rows, columns and factors cost by its shape.
SHAPE = (256, 512)
# Steps that are counted: some rules refresh at every tenth.
STEPS = 10
# Bytes of a number of the parameters, the gradient and of a state that is kept as it is.
_PLAIN = 4.0


@dataclass(frozen=True, slots=True)
class Costs:
    """What a step of a rule costs, for each parameter of a tensor.

    kept: numbers of state by name. read, written: numbers of each tensor, "p" and "g" too, that a
    step has to fetch and to store, though each is fetched once. operations: by class. points: the
    states that are places like the parameter, which codes would lose.
    """

    kept: Mapping[str, float]
    read: Mapping[str, float]
    written: Mapping[str, float]
    operations: Mapping[str, float]
    points: frozenset[str] = field(default_factory=frozenset)

    @property
    def state_numbers(self) -> float:
        """Numbers of state for each parameter."""
        return sum(self.kept.values())

    def state_bytes(self, storage: Mapping[str, Storage] | None = None) -> float:
        """Bytes of state for each parameter; storage: of states that are kept as codes, how."""
        return sum(n * self._width(name, storage or {}) for name, n in self.kept.items())

    def moved(self, storage: Mapping[str, Storage] | None = None) -> float:
        """Bytes that a step must move for each parameter: what no kernel can do without."""
        return sum(
            n * self._width(name, storage or {})
            for table in (self.read, self.written)
            for name, n in table.items()
        )

    def coded(self, quantizer: str, **hyper: object) -> dict[str, Storage]:
        """Every state that may be kept as codes, in that format; of those with signs, signed."""
        return {
            name: Storage(quantizer, hyper)  # type: ignore[arg-type]
            for name in self.kept
            if name not in self.points
        }

    def _width(self, name: str, storage: Mapping[str, Storage]) -> float:
        return width(storage[name]) if name in storage else _PLAIN

    @property
    def operations_in_all(self) -> float:
        """Operations for each parameter, of whatever class."""
        return sum(self.operations.values())


# Large enough that a scale is shared by as many elements as it can be.
_MANY = 2**20


def width(storage: Storage) -> float:
    """Bytes for each number of a tensor that is kept so, with its share of the scales.

    Raises ValueError where our kernels keep no tensor in that format.
    """
    h = QUANTIZERS[storage.quantizer].Hyper(**storage.hyper)
    kept = storages.kept(storage.quantizer, h)
    scales = kept.blocks(_MANY) * kept.scales.itemsize
    return (kept.codes(_MANY) * kept.code.itemsize + scales) / _MANY


def inputs_of(rule: Rule, shape: tuple[int, ...], rng: np.random.Generator) -> dict[str, Array]:
    """What the rule takes besides the gradient, of random numbers."""
    of = rule.FACTS.inputs.items()
    return {name: np.asarray(rng.standard_normal(made(shape))) for name, made in of}


def costs(name: str, hyper: Hyper | None = None, shape: tuple[int, ...] = SHAPE) -> Costs:
    """The costs of a rule for a tensor of that shape: the mean over STEPS of its steps.

    They follow the first step that moves the parameter: at that one states are zero, and rules that
    wait for gradients do less before it.

    hyper: the default where it is absent. The numbers are random, the count does not depend on
    them but where the rule branches on its data.
    """
    rule = OPTIMIZERS[name]
    h = rule.Hyper() if hyper is None else hyper
    rng = np.random.default_rng(0)
    p = rng.standard_normal(shape)
    state = rule.init(h, p)
    kept: dict[str, float] = {f: np.size(x) / p.size for f, x in _tensors(state).items()}
    read: Counter[str] = Counter()
    written: Counter[str] = Counter()
    operations: Counter[str] = Counter()
    left = STEPS + 1
    while left:
        given = {"p": p, "g": rng.standard_normal(shape), **inputs_of(rule, shape, rng)}
        tensors = given | _tensors(state)
        tally = Tally(tensors)
        counted = tally.arrays
        lifted = rule.State(**{f.name: counted.get(f.name, state.t) for f in fields(state)})
        extra = {f: counted[f] for f in rule.FACTS.inputs}
        with np.errstate(all="ignore"):
            new, moved = rule.step(h, lifted, counted["p"], counted["g"], **extra)
        made = {"p": moved, **{f: getattr(new, f) for f in _tensors(new)}}
        # What is given on as it was is read only where something else is made of it.
        changed = {f for f, x in made.items() if not tally.is_unchanged(f, x)}
        for f in changed:
            tally.take(made[f])
        if left <= STEPS:
            read.update({f: tensors[f].size for f in tally.read})
            written.update({f: np.size(made[f]) for f in changed})
            operations.update(tally.operations)
        if left <= STEPS or "p" in changed:
            left -= 1
        p, state = np.asarray(moved), rule.State(**_tensors(new), t=new.t)
    points = frozenset(f for f, b in rule.State.BEHAVIOUR.items() if b.moves)

    def each(count: Counter[str]) -> dict[str, float]:
        return {name: n / (STEPS * p.size) for name, n in count.items() if n}

    return Costs(kept, each(read), each(written), each(operations), points)


def _tensors(state: object) -> dict[str, Array]:
    """The fields of a state but its counter, as arrays that count nothing."""
    return {
        f.name: np.asarray(getattr(state, f.name)).view(np.ndarray)
        for f in fields(state)  # type: ignore[arg-type]
        if f.name != "t"
    }
