"""PyTorch on the CPU: its optimizers, schedulers, casts, and pieces of the training loop.

rows.py says which optimizer computes which rule, and paths.py how it rounds.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch

from truestep.fast.peers import torch_like, torch_schedulers, training_row
from truestep.fast.peers.torch import (
    averaging,
    casts,
    compiled,
    examples,
    lbfgs,
    lives,
    scaled,
    schedules,
    training,
)
from truestep.fast.peers.torch.rows import ROWS
from truestep.fast.peers.torch_like import Named, Row, numbers
from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.protocol import (
    Array,
    Capability,
    Fixed,
    Function,
    Group,
    Inputs,
    Outputs,
    Slot,
    State,
    Stepped,
)
from truestep.reference.declared import Hyper


class Backend(torch_like.Backend):
    """torch.optim and what else torch has for training."""

    name, library, rows = "torch", torch.optim, ROWS
    lives = (*lives.LIVES, *scaled.LIVES)
    fixed: ClassVar[Mapping[str, Fixed]] = {}

    def __init__(self) -> None:
        super().__init__()
        self._compiled: dict[str, compiled.Step] = {}

    def capabilities(self) -> tuple[Capability, ...]:
        """Every optimizer, path and format that torch runs here, and everything else."""
        optimizers = (
            c for c in super().capabilities() if c.variant != "compiled" or compiled.has_compiler()
        )
        return (
            *optimizers,
            *casts.capabilities(),
            *lbfgs.capabilities(),
            *torch_schedulers.capabilities(schedules.ROWS),
            *training_row.capabilities(training.ROWS),
        )

    def minimizer_step(
        self, capability: Capability, hyper: Hyper, param: Array, state: State, function: Function
    ) -> Stepped:
        """One iteration of L-BFGS."""
        return lbfgs.step(capability, hyper, param, state, function)

    def encode(self, capability: Capability, hyper: Hyper, x: Array) -> Mapping[str, Array]:
        """The bits of x after a cast."""
        return casts.encode(capability, x)

    def decode(self, capability: Capability, hyper: Hyper, stored: Mapping[str, Array]) -> Array:
        """The float32 values of the bits."""
        return casts.decode(capability, stored)

    def schedule_values(
        self, capability: Capability, hyper: Hyper, steps: Sequence[int]
    ) -> list[float]:
        """What a scheduler of torch.optim.lr_scheduler sets its optimizer's rate to."""
        return torch_schedulers.values(schedules.ROWS, capability, hyper, steps)

    def training_piece(self, capability: Capability, hyper: Hyper, inputs: Inputs) -> Outputs:
        """What clipping, GradScaler or the sum of backward passes makes of the inputs."""
        return training_row.outputs(training.ROWS, capability, hyper, inputs)

    def stepped(self, row: Row, groups: Sequence[Group]) -> list[list[Stepped]]:
        """One step() of one optimizer, or of what else makes a step here."""
        if row.rule in ("lms", "perceptron"):
            return [examples.stepped(row.optimizer, group) for group in groups]
        if row.rule == "polyak_ruppert":
            return [averaging.stepped(row.optimizer, group) for group in groups]
        if "compiled" in row.paths:
            return [
                [self._flat(row, group.hyper, slot) for slot in group.slots] for group in groups
            ]
        return super().stepped(row, groups)

    def count(self, t: int) -> torch.Tensor:
        """The number of steps made as torch keeps it."""
        return torch.scalar_tensor(t, dtype=torch.float32)

    def _flat(self, row: Row, hyper: Hyper, slot: Slot) -> Stepped:
        """A compiled step, of one graph for tensors of every shape."""
        if row.rule not in self._compiled:
            self._compiled[row.rule] = compiled.compiled(row)
        # Copies, of which a view, and not the caller's array, is what torch updates.
        tensors = {name: x if name == "t" else x.flatten() for name, x in slot.state.items()}
        flat = Slot(slot.param.flatten(), slot.grad.flatten(), tensors)
        param = to_tensor(flat.param)
        state: Named = {}
        if not row.fresh(hyper, flat):
            self.load(row, hyper, flat, {}, state)
        self._compiled[row.rule](param, to_tensor(flat.grad), state, numbers(row, hyper))
        fields = self.read(row, hyper, flat, {}, state)
        shaped = {
            name: x if name == "t" else x.reshape(slot.param.shape) for name, x in fields.items()
        }
        return Stepped(from_tensor(param).reshape(slot.param.shape), shaped)
