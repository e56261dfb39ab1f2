"""State tensors kept as codes: the plain rule between a decoding and an encoding.

How a state tensor is kept is a property of the implementation, not of the rule. A capability with
storage is judged by a rule of the plain rule's lines, whose state has codes and scales in the place
of the tensors that are stored ("m_code" and, by the quantizer's name for its scales, "m_absmax" or
"m_scale" for "m"), and whose Hyper says in `storage` how each of them is quantized. Of a parameter
that is kept in two parts the high one stays the parameter, and the rest is "p_code" of the state.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from hypothesis import strategies as st

from truestep.fast.protocol import Array, MinimizerCapability, OptimizerCapability, Storage
from truestep.properties.cases import hypers as plain_hypers
from truestep.properties.cases.hypers import values_of
from truestep.properties.search.identification import Reading, departures, in_words
from truestep.reference import declared
from truestep.reference.advance import advanced
from truestep.reference.declared import NUMBER, Behaviour, Hyper, State, fields_of
from truestep.reference.optimizers import FROM_FUNCTION, OPTIMIZERS
from truestep.reference.rules import Facts, Hypers, Optimizer, Quantizer, States
from truestep.reference.splits import SPLITS
from truestep.reference.storages import STORAGES

Fields = dict[str, object]
# With this for a random number of 16 bits a stochastic rounding takes the nearer neighbour.
_HALF = 2**15


# One instance for each rule and storage: compared by identity, and a key of caches.
@dataclass(frozen=True, slots=True, eq=False)
class StoredRule:
    """A rule of which some state tensors are kept as codes; kept: by which quantizer."""

    title: str
    plain: Optimizer
    kept: Mapping[str, str]
    Hyper: Hypers
    State: States

    @property
    def __name__(self) -> str:
        """What it is called."""
        return self.title

    @property
    def DIALECTS(self) -> Mapping[str, Mapping[str, str]]:
        """Those of the plain rule."""
        return self.plain.DIALECTS

    @property
    def FACTS(self) -> Facts:
        """Those of the plain rule, but that elements of a block share its scale."""
        return dataclasses.replace(self.plain.FACTS, elementwise=False)

    def init(self, h: declared.Hyper, p: Array) -> declared.State:
        """The state before the first step, encoded."""
        return self.encoded(h, self.plain.init(h, p), p)[0]

    def step(
        self, h: declared.Hyper, s: declared.State, p: Array, g: Array, **inputs: Array
    ) -> tuple[declared.State, Array]:
        """One step of the reference from the decoded state, encoded again."""
        fields = {**fields_of(s), "p": p}
        tensors = {name: self.decoded(h, name, fields) for name in self.kept}
        point = tensors.pop("p", p)
        kept = {name: x for name, x in fields.items() if name in self.plain_state}
        state, p = advanced(self.plain, h, self.plain.State(**kept, **tensors), point, g, inputs)
        return self.encoded(h, state, p)

    @property
    def plain_state(self) -> list[str]:
        """The fields of the plain rule's State."""
        return [field.name for field in dataclasses.fields(self.plain.State)]

    def quantizer(self, name: str) -> Quantizer:
        """What the named tensor is quantized by."""
        return STORAGES[self.kept[name]]

    @property
    def highs(self) -> set[str]:
        """The fields of the state that are high parts of numbers in two parts."""
        split = [name for name, how in self.kept.items() if how in SPLITS and name != "p"]
        return {self.scale_of(name) for name in split}

    def scale_of(self, name: str) -> str:
        """What the scales of the named tensor are called."""
        return _scale_of(name, self.kept[name])

    def decoded(self, h: declared.Hyper, name: str, fields: Mapping[str, Array]) -> Array:
        """The named tensor that the stored fields stand for, in float64."""
        code, scale = fields[f"{name}_code"], fields[self.scale_of(name)]
        numbers: Array = self.quantizer(name).decode(h.storage[name], code, scale)
        return numbers

    def encoded(
        self, h: declared.Hyper, state: declared.State, p: Array
    ) -> tuple[declared.State, Array]:
        """The state and the parameter with what is stored encoded."""
        fields: dict[str, Array] = {}
        for name, x in {**fields_of(state), "p": p}.items():
            if name in self.kept:
                how = h.storage[name]
                random = (np.full(np.shape(x), _HALF),) if draws(how) else ()
                code, scale = self.quantizer(name).encode(how, x, *random)
                fields |= {f"{name}_code": code, self.scale_of(name): scale}
            else:
                fields[name] = x
        high = fields.pop("p")
        return self.State(**fields), high


def draws(how: Hyper | Storage) -> bool:
    """Whether chance decides the codes of a tensor that is kept like this."""
    chosen = how.hyper.get("rounding") if isinstance(how, Storage) else getattr(how, "rounding", "")
    return "stochastic" in values_of(chosen)


def is_split(capability: OptimizerCapability) -> bool:
    """Whether some tensor is kept in two parts."""
    return any(how.quantizer in SPLITS for how in capability.storage.values())


def rule_of(capability: OptimizerCapability | MinimizerCapability) -> Optimizer:
    """The rule that a capability is judged by: the reference's, or that of its storage."""
    if isinstance(capability, MinimizerCapability):
        return FROM_FUNCTION[capability.rule]
    # Laws are asked of minimizers in the form of optimizers too.
    rule = OPTIMIZERS.get(capability.rule) or FROM_FUNCTION[capability.rule]
    return with_storage(rule, capability.storage)


def with_storage(rule: Optimizer, storage: Mapping[str, Storage]) -> Optimizer:
    """The rule with these state tensors kept as codes; itself where there are none."""
    if not storage:
        return rule
    return _stored(rule, tuple((name, how.quantizer) for name, how in sorted(storage.items())))


@cache
def _stored(rule: Optimizer, kept: tuple[tuple[str, str], ...]) -> StoredRule:
    quantizers = dict(kept)
    for name, quantizer in kept:
        able = SPLITS if name == "p" else STORAGES
        if quantizer not in able:
            raise ValueError(
                f"storage of {name} must be one of {', '.join(able)}; got {quantizer!r}"
            )
    if "p" in quantizers and rule.FACTS.observables:
        raise ValueError(f"{rule.__name__} is judged by replicates, with its parameter in one part")

    def validated(self: Hyper) -> None:
        """Both records are validated as they would be alone."""
        fields = fields_of(self)
        given = fields.pop("storage")
        rule.Hyper(**fields)
        made = {
            name: how if not isinstance(how, Mapping) else STORAGES[quantizers[name]].Hyper(**how)
            for name, how in given.items()
        }
        object.__setattr__(self, "storage", made)

    def key(self: Hyper) -> int:
        return hash(repr(self))

    hyper = dataclasses.make_dataclass(
        "Hyper",
        [("storage", Mapping[str, Hyper], field(default_factory=dict))],
        bases=(_Made, rule.Hyper),
        namespace={"__post_init__": validated, "__hash__": key},
        frozen=True,
    )
    behaviour: dict[str, Behaviour] = {}
    for name, plain in rule.State.BEHAVIOUR.items():
        if name in quantizers:
            module = STORAGES[quantizers[name]]
            signed = getattr(getattr(module, "row", None), "signed", False)
            scale = Behaviour(plain.degree, nonnegative=not signed) if module.SCALES else NUMBER
            behaviour |= {f"{name}_code": NUMBER, _scale_of(name, quantizers[name]): scale}
        else:
            behaviour[name] = plain
    if "p" in quantizers:
        behaviour["p_code"] = NUMBER
    state = dataclasses.make_dataclass(
        "State", ["t", *behaviour], bases=(_Made, State), namespace={"BEHAVIOUR": behaviour}
    )
    name = f"{rule.__name__} with {', '.join(quantizers)} stored"
    return StoredRule(name, rule, quantizers, hyper, state)


def _scale_of(name: str, quantizer: str) -> str:
    # Of a parameter in two parts, the one that stays the parameter.
    return "p" if name == "p" else f"{name}_{STORAGES[quantizer].SCALE}"


class _Made:
    """A record whose fields are no rule's own, and so declare nothing."""

    def __init_subclass__(cls) -> None:
        """Nothing is read off the annotations."""


def parted(rule: Optimizer, hyper: Hyper) -> tuple[Hyper, Mapping[str, Hyper]]:
    """The plain rule's Hyper, and how each stored tensor is quantized: as a backend is given it."""
    if not isinstance(rule, StoredRule):
        return hyper, {}
    fields = fields_of(hyper)
    storage = fields.pop("storage")
    return rule.plain.Hyper(**fields), storage


def hypers(capability: OptimizerCapability) -> st.SearchStrategy[Fields]:
    """The fields of the Hyper of a capability's rule, its storage included."""
    rule = OPTIMIZERS[capability.rule]
    fields = plain_hypers.hypers(rule, capability.dialect, capability.fixed)
    if not capability.storage:
        return fields
    return st.builds(
        lambda known, turn: {**known, **_storage(capability, turn)}, fields, st.integers(0, 255)
    )


def drawn(capability: OptimizerCapability, rng: np.random.Generator) -> Fields:
    """The same, drawn independently of one another."""
    rule = OPTIMIZERS[capability.rule]
    fields = plain_hypers.drawn(rule, capability.dialect, capability.fixed, rng)
    return {**fields, **_storage(capability, int(rng.integers(256)))}


def held_storage(capability: OptimizerCapability) -> Fields:
    """The storage with the first of each field's values; nothing where there is none."""
    return _storage(capability, 0)


def drawn_storage(capability: OptimizerCapability) -> Fields:
    """The same with drawn roundings wherever they may be."""
    made = {
        name: how if not draws(capability.storage[name]) else {**how, "rounding": "stochastic"}
        for name, how in _of_turn(capability, 0).items()
    }
    return {"storage": made}


def _storage(capability: OptimizerCapability, turn: int) -> Fields:
    made = _of_turn(capability, turn)
    return {"storage": made} if made else {}


def _of_turn(capability: OptimizerCapability, turn: int) -> dict[str, Fields]:
    # One turn for all tensors: fields with the same values have the same one of them.
    return {
        name: {k: values_of(x)[turn % len(values_of(x))] for k, x in how.hyper.items()}
        for name, how in capability.storage.items()
    }


def storage_readings(capability: OptimizerCapability) -> Iterator[Reading]:
    """The same rule with another choice of its quantizers."""
    for quantizer in sorted({how.quantizer for how in capability.storage.values()}):
        module = STORAGES[quantizer]
        names = [name for name, how in capability.storage.items() if how.quantizer == quantizer]
        given = capability.storage[names[0]].hyper
        chosen = {k: str(x) for k, x in given.items() if k in module.DIALECTS}
        for changes in departures(module, chosen, 1):
            yield Reading(
                f"{capability.rule} on {quantizer} with {in_words(module, changes)}",
                rule_of(capability),
                storage=dict.fromkeys(names, changes),
            )
