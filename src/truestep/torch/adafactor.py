"""Adafactor over the kernels by row and column."""

import numpy as np
import torch

from truestep.fast.ours import factored
from truestep.fast.protocol import Array, numpy_dtype
from truestep.reference.declared import Hyper
from truestep.torch.by_tensor import ByTensor
from truestep.torch.rows import Row, Stepping
from truestep.torch.stored import Form, Group, Held

_AVERAGES = {"r": "row_var", "c": "col_var", "v": "variance"}


class Adafactor(ByTensor):
    """Adafactor, as torch.optim.Adafactor; averages by row and column are float32 in any case.

    eps[0] = None is the unit roundoff of the parameter's format times 2, as in torch.
    """

    row = Row(
        Stepping("adafactor", _AVERAGES, {"eps_placement": "floor"}),
        {"lr": 1e-2, "beta2_decay": -0.8, "eps": (None, 1e-3), "d": 1.0, "weight_decay": 0.0},
        {"beta2_decay": ("-decay_rate",), "eps": ("eps1", "eps2"), "d": ("clip_threshold",)},
        ways=("float32",),
    )

    def hyper(self, p: torch.Tensor, group: Group) -> Hyper:
        """With the unit of the parameter's format, where eps[0] is None."""
        floor, least = group["eps"]
        floor = torch.finfo(p.dtype).eps if floor is None else floor
        return super().hyper(p, {**group, "eps": (floor, least)})

    def forms(self, p: torch.Tensor, group: Group) -> list[tuple[Form, torch.Tensor]]:
        """An average by row and one by column, or of vectors and numbers one by element."""
        shape = tuple(p.shape)
        shapes = {"v": shape}
        if p.ndim > 1:
            shapes = {"r": (*shape[:-1], 1), "c": (*shape[:-2], 1, shape[-1])}
        return [
            (self.row.form(self.row.stepping, name, group, p.numel(), coded=False), torch.empty(of))
            for name, of in shapes.items()
        ]

    def move(
        self,
        hyper: Hyper,
        step: int,
        param: torch.Tensor,
        gradient: torch.Tensor,
        state: Held,
        forms: list[Form],
    ) -> None:
        """One call of the kernel."""
        kernel = factored.kernel_for("adafactor", hyper)
        view = factored.VIEWS["adafactor"](hyper, tuple(param.shape))
        averages = [state[form.key].numpy() for form in forms]
        rows = averages[:1] if len(averages) > 1 else [np.ones(1, np.float32)]
        arrays = {"p": _array(param), "g": _array(gradient)}
        tensors = factored.Tensors(view, arrays, rows, averages[-1:])
        factored.run(kernel, [hyper], [step], [tensors], torch.get_num_threads())


def _array(x: torch.Tensor) -> Array:
    """The memory of a contiguous tensor."""
    if x.dtype is not torch.bfloat16:
        array: Array = x.numpy()
        return array
    bits: Array = x.view(torch.int16).numpy()
    return bits.view(numpy_dtype("bfloat16"))
