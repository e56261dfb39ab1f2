"""What the names of a task's inputs and outputs say of a rule's tensors and numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from truestep.fast.wrapped import matching
from truestep.fast.wrapped.names import REQUIRED, paired
from truestep.fast.wrapped.submissions.task import Task, is_number
from truestep.reference.rules import Optimizer

_USUAL: Mapping[str, tuple[str, ...]] = {
    **matching.USUAL,
    "g": ("grad", "grads", "gradient", "gradients"),
    "p": ("param", "params", "parameter", "parameters", "weight", "weights", "w", "theta", "var"),
    "s": ("sum", "state_sum", "accum", "accumulator", "acc"),
}
_COUNTS = ("t", "step", "steps", "count", "iteration", "num_steps", "step_count", "global_step")
# What tasks put before or after the name of a tensor that is new.
_AFFIXES = ("new_", "_new", "out_", "_out", "updated_", "_updated", "next_", "_next")


def roles_of(rule: Optimizer) -> list[str]:
    """The tensors that a step takes: p, g, the state's, and what the rule takes besides."""
    state = [name for name in rule.State.__dataclass_fields__ if name != "t"]
    return ["p", "g", *state, *rule.FACTS.inputs]


def plain(name: str) -> str:
    """A name without what says that it is of the new or the written tensor."""
    name = name.lower()
    for affix in _AFFIXES:
        name = name.removesuffix(affix) if affix[0] == "_" else name.removeprefix(affix)
    return name


def paired_tensors(names: Sequence[str], roles: Sequence[str]) -> dict[str, str]:
    """Which tensor of the rule a name is of: its own name first, then what libraries call it."""
    found: dict[str, str] = {}
    for usual in ({}, _USUAL):
        for role in roles:
            for word in (role, *usual.get(role, ())):
                for name in names:
                    if plain(name) == word and name not in found and role not in found.values():
                        found[name] = role
    return found


def is_number_of(task: Task, rule: Optimizer, name: str) -> bool:
    """Whether an input is a number, or a tensor of one that is a number by its name."""
    example = task.examples.get(name)
    named = name.lower() in _COUNTS or bool(paired(rule, {name: REQUIRED.get(name, 0.5)}))
    if isinstance(example, torch.Tensor):
        return example.numel() == 1 and named
    # Where there is no example, nothing is known but the name.
    return named if example is None else is_number(example)


def numbers_of(task: Task, rule: Optimizer) -> tuple[dict[str, str], str]:
    """The rule's fields and the task's names for them; what it calls the number of steps."""
    offered = dict(task.numbers)
    for name in task.inputs:
        if is_number_of(task, rule, name):
            example = task.examples.get(name, REQUIRED.get(name, 0.5))
            offered[name] = example.item() if isinstance(example, torch.Tensor) else example
    counters = [name for name in offered if name.lower() in _COUNTS]
    return paired(rule, {n: x for n, x in offered.items() if n not in counters}), (*counters, "")[0]
