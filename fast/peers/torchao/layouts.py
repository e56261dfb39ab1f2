"""How the groups of a block format lie in what torchao takes: matrices of whole groups.

A tensor is extended by zeros to whole groups, and its codes are cut again, which changes neither a
group's largest magnitude nor an element's code.
"""

from dataclasses import dataclass

import numpy as np
import torch

from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.protocol import Array, Capability
from truestep.reference.declared import Hyper
from truestep.reference.quantizers import QUANTIZERS


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a tensor lies in the library's. group: the library's axes of one group."""

    shape: tuple[int, ...]
    inner: tuple[int, ...]
    group: tuple[int, ...]

    def extended(self, x: Array) -> torch.Tensor:
        """The library's tensor of elements or of codes."""
        inner = np.ascontiguousarray(x).reshape(self.inner)
        sides = zip(self.inner, self.group, strict=True)
        return to_tensor(np.pad(inner, [(0, -n % side) for n, side in sides]))

    def repeated(self, x: Array) -> torch.Tensor:
        """The same with the last element of each row, and not zeros, behind its end.

        Of zeros a group's own range would not be that of its elements.
        """
        extended = self.extended(x)
        if extended.shape[-1] > self.inner[-1]:
            extended[..., self.inner[-1] :] = extended[..., self.inner[-1] - 1 : self.inner[-1]]
        return extended

    def cut(self, made: torch.Tensor) -> Array:
        """The elements of the tensor that was extended, in its shape."""
        part = from_tensor(made)[tuple(slice(n) for n in self.inner)]
        return np.ascontiguousarray(part).reshape(self.shape)

    def scales(self, scale: Array) -> torch.Tensor:
        """Scales in the order of groups, one for every group of the library's tensor."""
        sides = zip(self.inner, self.group, strict=True)
        return to_tensor(scale.reshape([-(-n // side) for n, side in sides]))


def layout(capability: Capability, hyper: Hyper, shape: tuple[int, ...]) -> Layout:
    """The layout of a tensor that is not empty: by its rows only where groups lie in rows."""
    row = QUANTIZERS[capability.rule].row
    size = int(np.prod(shape))
    rows = (size // shape[-1], shape[-1]) if shape else (1, 1)
    if row.grouping == "tile":
        inner = (rows[0] // shape[-2], *shape[-2:]) if len(shape) > 1 else (1, *rows)
        return Layout(shape, inner, (1, row.block, row.block))
    if row.grouping == "row":
        return Layout(shape, rows, (1, rows[1]))
    if row.grouping == "tensor":
        return Layout(shape, (1, size), (1, size))
    block = row.block or hyper.block_size
    # The formats whose block the library does not let choose are cut along rows, which are whole.
    whole = row.block and rows[1] % block == 0
    return Layout(shape, rows if whole else (1, size), (1, block))
