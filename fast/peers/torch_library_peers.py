"""adam-mini, adan-pytorch, came-pytorch, prodigyopt, torch-optimi and torch_optimizer on the CPU.

torch_library.py steps them; the tables of rows say which optimizer computes which rule.
"""

from __future__ import annotations

from truestep.fast.peers.torch_library import TorchLibrary
from truestep.fast.peers.torch_library_rows import (
    ADAM_MINI_ROWS,
    ADAN_PYTORCH_ROWS,
    CAME_PYTORCH_ROWS,
    PRODIGYOPT_ROWS,
    TORCH_OPTIMIZER_ROWS,
)
from truestep.fast.peers.torch_optimi.rows import ROWS as TORCH_OPTIMI_ROWS


class AdamMini(TorchLibrary):
    """The authors' Adam-mini, which takes named parameters and chooses blocks by the name."""

    name, module, rows = "adam_mini", "adam_mini", ADAM_MINI_ROWS


class AdanPytorch(TorchLibrary):
    """lucidrains' Adan."""

    name, module, rows = "adan_pytorch", "adan_pytorch", ADAN_PYTORCH_ROWS


class CamePytorch(TorchLibrary):
    """The authors' CAME."""

    name, module, rows = "came_pytorch", "came_pytorch.CAME", CAME_PYTORCH_ROWS


class Prodigyopt(TorchLibrary):
    """The authors' Prodigy."""

    name, module, rows = "prodigyopt", "prodigyopt", PRODIGYOPT_ROWS


class TorchOptimi(TorchLibrary):
    """optimi, on its paths without Triton."""

    name, module, rows = "torch_optimi", "optimi", TORCH_OPTIMI_ROWS


class TorchOptimizer(TorchLibrary):
    """jettify's torch_optimizer."""

    name, module, rows = "torch_optimizer", "torch_optimizer", TORCH_OPTIMIZER_ROWS
