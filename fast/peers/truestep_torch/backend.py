"""truestep.torch on the CPU: every class that has a kernel, with each way to keep the state.

The rows follow from the table of the classes: what an argument is called here stands there.
"""

from collections.abc import Iterator, Mapping, Sequence
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
from truestep.fast.protocol import (
    Capability,
    Fixed,
    Inputs,
    Outputs,
    Shapes,
    Storage,
    TrainingCapability,
)
from truestep.reference.declared import Hyper
from truestep.reference.optimizers import OPTIMIZERS
from truestep.torch.adafactor import Adafactor
from truestep.torch.base import Base
from truestep.torch.layout import COUNTER
from truestep.torch.muon import Muon
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
    fixed: dict[str, Fixed] = {"initial_v": 0.0} if "initial_v" in fields else {}
    plain = Row(
        stepping.rule,
        name,
        stepping.states,
        _numbers(made, stepping.rule),
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
        yield _8bit(plain, coded_states(kernel))


def _numbers(made: type[Base], rule: str) -> dict[str, str]:
    """The rule's hyperparameters and the arguments that they are."""
    fields = OPTIMIZERS[rule].Hyper.__dataclass_fields__
    named = {
        field: argument
        for argument in (*made.row.arguments, "maximize")
        for field in made.row.fields_of(argument)
        if argument not in made.row.choices and field != "lr"
    }
    return {
        field.removeprefix("-"): f"-{argument}" if field[0] == "-" else argument
        for field, argument in named.items()
        if field.removeprefix("-") in fields
    }


def _fullest(kernel: RuleKernel) -> RuleKernel:
    """Of the kernels of one dialect, the one that has the most states."""
    alike = [k for k in rule_kernels() if (k.rule, k.dialect) == (kernel.rule, kernel.dialect)]
    return max(alike, key=lambda other: len(other.states))


def _8bit(row: Row, coded: Sequence[str]) -> Row:
    """The row with these moments as codes in blocks."""
    behaviour = OPTIMIZERS[row.rule].State.BEHAVIOUR
    state, storage = dict(row.state), {}
    for name in coded:
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


def _muon(argument: str, scale: str) -> Iterator[Row]:
    """Of one way to scale the step."""
    plain = Row(
        "muon",
        "Muon",
        Muon.row.stepping.states,
        _numbers(Muon, "muon"),
        f"{argument}_",
        {**Muon.row.stepping.dialect, "scale": scale},
        {"adjust_lr_fn": argument, "min_8bit_size": 0},
        # The 0.2 of match_rms_adamw is no argument.
        fixed={"rms": 0.2},
        shapes="matrices",
    )
    yield from (plain, _8bit(plain, ("b",)))


_ADAFACTOR = Row(
    "adafactor",
    "Adafactor",
    Adafactor.row.stepping.states,
    _numbers(Adafactor, "adafactor"),
    dialect=Adafactor.row.stepping.dialect,
    fixed={"beta2_cap": 1.0, "min_size": 0},
    arithmetic={
        "bfloat16": "bfloat16_params_float64_sums",
        "float32": "ieee_float32_strict_float64_sums",
    },
)
ROWS: tuple[Row, ...] = (
    *(
        row
        for name, made in truestep.torch.OPTIMIZERS.items()
        if issubclass(made, Optimizer)
        for row in _rows(name, made)
    ),
    _ADAFACTOR,
    *_muon("match_rms_adamw", "rms"),
    *_muon("original", "tall"),
)


def _lives(name: str, made: type[Base]) -> Iterator[Life]:
    """A class as an object with a life, by the way to keep its state."""
    offers = ("added_groups", "closure", "groups", "none")
    shapes: Shapes = "matrices" if made is Muon else "any"
    for state in made.row.ways:
        make = partial(made, state=state, min_8bit_size=0)
        yield torch_signatures.life(f"{name}_{state}", make, offers=offers, shapes=shapes)


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
