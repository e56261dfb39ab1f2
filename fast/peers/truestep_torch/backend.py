"""truestep.torch on the CPU: every class that has a kernel, with each way to keep the state.

The rows follow from the table of the classes: what an argument is called here stands there.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from types import ModuleType
from typing import ClassVar

import torch

import truestep.torch
from truestep.fast.ours.offered import arithmetic_of, coded_states
from truestep.fast.ours.rule_kernels import RuleKernel, rule_kernels
from truestep.fast.peers import torch_like, torch_signatures
from truestep.fast.peers.torch_like import Row
from truestep.fast.peers.torch_lives import Life
from truestep.fast.protocol import Capability, Fixed, Inputs, Outputs, Storage, TrainingCapability
from truestep.reference.declared import Hyper
from truestep.reference.optimizers import OPTIMIZERS
from truestep.torch.layout import COUNTER
from truestep.torch.optimizer import Optimizer
from truestep.torch.rows import Stepping, offered
from truestep.torch.stored import BLOCK_SIZE


def _rows(name: str, made: type[Optimizer]) -> Iterator[Row]:
    """Of a class: its rule, and those that its switches ask for."""
    options = {"min_8bit_size": 0}
    yield from _ways(name, made, made.row.stepping, "", options)
    for switch, stepping in made.row.switches.items():
        if stepping.rule in offered():
            yield from _ways(name, made, stepping, f"{name.lower()}_", {**options, switch: True})


def _ways(
    name: str, made: type[Optimizer], stepping: Stepping, prefix: str, options: Mapping[str, object]
) -> Iterator[Row]:
    """Of a rule in a class: by the way to keep its state."""
    defaults = made([torch.zeros(1)], **options).param_groups[0]
    kernel = _fullest(made.row.stepped(name, defaults)[0])
    fields = OPTIMIZERS[stepping.rule].Hyper.__dataclass_fields__
    numbers = {
        field: argument
        for argument in (*made.row.arguments, "maximize")
        for field in made.row.renamed.get(argument, (argument,))
        if field in fields and argument not in made.row.choices and field != "lr"
    }
    fixed: dict[str, Fixed] = {"initial_v": 0.0} if "initial_v" in fields else {}
    plain = Row(
        stepping.rule,
        name,
        stepping.states,
        numbers,
        prefix,
        stepping.dialect,
        options,
        fixed=fixed,
        arithmetic={
            "bfloat16": arithmetic_of(kernel, "bfloat16_params"),
            "float32": arithmetic_of(kernel, "ieee_float32_strict"),
        },
    )
    yield plain
    if coded_states(kernel):
        yield _8bit(plain, kernel)


def _fullest(kernel: RuleKernel) -> RuleKernel:
    """Of the kernels of one dialect, the one that has the most states."""
    alike = [k for k in rule_kernels() if (k.rule, k.dialect) == (kernel.rule, kernel.dialect)]
    return max(alike, key=lambda other: len(other.states))


def _8bit(row: Row, kernel: RuleKernel) -> Row:
    """The row with moments as codes in blocks."""
    behaviour = OPTIMIZERS[row.rule].State.BEHAVIOUR
    state, storage = dict(row.state), {}
    for name in coded_states(kernel):
        key = state.pop(name)
        state |= {f"{name}_{part}": f"{key}_{part}" for part in ("code", "absmax")}
        signed = not behaviour[name].nonnegative
        blocks: dict[str, Fixed] = {"signed": signed, "block_size": BLOCK_SIZE, "map": "fused"}
        storage[name] = Storage("dynamic_8bit", blocks)
    return replace(
        row,
        prefix=f"{row.prefix}8bit_",
        state=state,
        options={**row.options, "state": "8bit"},
        arithmetic={"float32": row.arithmetic["float32"]},
        storage=storage,
    )


ROWS: tuple[Row, ...] = tuple(
    row for item in truestep.torch.OPTIMIZERS.items() for row in _rows(*item)
)

_KEPT = ("float32", "bfloat16", "8bit", "4bit")


def _lives(name: str, made: type[Optimizer]) -> Iterator[Life]:
    """A class as an object with a life, by the way to keep its state."""
    offers = ("added_groups", "closure", "groups", "none")
    for state in _KEPT:
        make = partial(made, state=state, min_8bit_size=0)
        yield torch_signatures.life(f"{name}_{state}", make, offers=offers)


LIVES = tuple(life for item in truestep.torch.OPTIMIZERS.items() for life in _lives(*item))

# Embeddings are tensors like any other, and blocks may be short.
_PRECISION = TrainingCapability(
    rule="state_precision", dialect={"embeddings": "as_others", "whole": "any"}
)


class Backend(torch_like.Backend):
    """The classes of truestep.torch."""

    name, rows, lives = "truestep_torch", ROWS, LIVES
    library: ClassVar[ModuleType] = truestep.torch
    fixed: ClassVar[Mapping[str, Fixed]] = {}

    def count(self, t: int) -> torch.Tensor:
        """The number of steps made as the optimizers keep it."""
        return torch.scalar_tensor(t, dtype=COUNTER)

    def capabilities(self) -> tuple[Capability, ...]:
        """The rows, the classes as objects, and which tensors have codes."""
        return (*super().capabilities(), _PRECISION)

    def training_piece(self, capability: Capability, hyper: Hyper, inputs: Inputs) -> Outputs:
        """The bits of the first moment's elements of AdamW, after one step."""
        parameter = torch.nn.Parameter(torch.zeros(inputs["size"]))
        parameter.grad = torch.zeros_like(parameter)
        optimizer = truestep.torch.AdamW(
            [parameter], state=f"{hyper.bits}bit", min_8bit_size=hyper.min_size
        )
        optimizer.step()
        return {"bits_of": hyper.bits if "exp_avg_code" in optimizer.state[parameter] else 32}
