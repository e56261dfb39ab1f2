"""Optimizer cases: groups, hyperparameters, reachable states and several steps of gradients."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from hypothesis import strategies as st

from truestep.properties.cases.hypers import hypers
from truestep.properties.cases.tensors import KINDS, SHAPES, SPECIALS, TensorSpec, specs
from truestep.reference.optimizers import Rule


@dataclass(frozen=True, slots=True)
class SlotCase:
    """One parameter: its values, its gradients' specification, and how its state came about.

    t: steps already made. history: gradients that built the state (at most t), drawn as the
    gradient's specification scaled by 10^past; the state is the reference's after them, stored,
    with t put in.
    """

    param: TensorSpec
    grad: TensorSpec
    t: int = 0
    history: int = 0
    past: int = 0


@dataclass(frozen=True, slots=True)
class GroupCase:
    """Parameters that share hyperparameters, given as fields of the rule's Hyper."""

    hyper: Mapping[str, Any]
    slots: tuple[SlotCase, ...]


@dataclass(frozen=True, slots=True)
class OptimizerCase:
    """Groups of parameters and the number of consecutive steps, each with new gradients."""

    groups: tuple[GroupCase, ...]
    steps: int = 3

    def to_json(self) -> dict[str, Any]:
        """A dictionary that json accepts and from_json restores exactly."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> OptimizerCase:
        """The case that to_json wrote."""
        groups = tuple(
            GroupCase(
                hyper=dict(group["hyper"]),
                slots=tuple(
                    SlotCase(**{**s, "param": _spec(s["param"]), "grad": _spec(s["grad"])})
                    for s in group["slots"]
                ),
            )
            for group in record["groups"]
        )
        return cls(groups=groups, steps=record["steps"])


def _spec(record: Mapping[str, Any]) -> TensorSpec:
    shape = tuple(record["shape"])
    specials = tuple((int(i), str(name)) for i, name in record["specials"])
    elements = tuple(float(x) for x in record["elements"])
    return TensorSpec(**{**record, "shape": shape, "specials": specials, "elements": elements})


def gradient_at(spec: TensorSpec, step: int) -> TensorSpec:
    """The gradient of that step: the same kind and scale, other numbers."""
    elements = spec.elements
    if elements:
        turn = step % len(elements)
        elements = elements[turn:] + elements[:turn]
    return replace(spec, seed=(spec.seed + 7919 * (step + 1)) % 2**32, elements=elements)


def input_at(spec: TensorSpec, name: str, step: int, shape: tuple[int, ...]) -> TensorSpec:
    """What a rule takes besides the gradient, at that step: of the gradient's kind and scale."""
    own = replace(spec, shape=shape, seed=(spec.seed + zlib.crc32(name.encode())) % 2**32)
    return gradient_at(own, step)


COUNTS = (0, 1, 2, 9, 99, 999, 12345)


def slots(
    counts: tuple[int, ...] = COUNTS,
    shapes: tuple[tuple[int, ...], ...] = SHAPES,
    kinds: tuple[str, ...] = KINDS,
    grads: tuple[int, int] = (-8, 3),
    params: tuple[int, int] = (-6, 1),
    param_kinds: tuple[str, ...] = ("normal", "zeros", "spread"),
    specials: tuple[str, ...] = SPECIALS,
) -> st.SearchStrategy[SlotCase]:
    """Parameters with states; those far smaller than their updates show the updates undimmed."""
    return st.builds(
        _slot,
        shape=st.sampled_from(shapes),
        param=specs(((),), param_kinds, params, specials),
        grad=specs(((),), kinds, grads, specials),
        t=st.sampled_from(counts),
        history=st.integers(1, 4),
        past=st.sampled_from((0, 0, 2, -2, 4)),
    )


def _slot(
    shape: tuple[int, ...], param: TensorSpec, grad: TensorSpec, t: int, history: int, past: int
) -> SlotCase:
    return SlotCase(
        param=replace(param, shape=shape),
        grad=replace(grad, shape=shape),
        t=t,
        history=min(t, history),
        past=past,
    )


def _mostly_of_one_count(drawn: list[SlotCase]) -> tuple[SlotCase, ...]:
    """Two groups in three count their steps together, as training does."""
    first = drawn[0]
    if first.grad.seed % 3:
        return tuple(replace(s, t=first.t, history=min(first.t, max(1, s.history))) for s in drawn)
    return tuple(drawn)


def cases(
    rule: Rule,
    dialect: Mapping[str, str],
    fixed: Mapping[str, Any],
    *,
    slot: st.SearchStrategy[SlotCase] | None = None,
    max_groups: int = 2,
    max_slots: int = 3,
    steps: tuple[int, int] = (1, 3),
) -> st.SearchStrategy[OptimizerCase]:
    """Cases of a rule: one or more groups, each with its own hyperparameters."""
    group = st.builds(
        GroupCase,
        hyper=hypers(rule, dialect, fixed),
        slots=st.lists(slots() if slot is None else slot, min_size=1, max_size=max_slots).map(
            _mostly_of_one_count
        ),
    )
    return st.builds(
        OptimizerCase,
        groups=st.lists(group, min_size=1, max_size=max_groups).map(tuple),
        steps=st.integers(*steps),
    )
