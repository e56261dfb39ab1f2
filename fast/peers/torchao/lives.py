"""torchao's optimizers as objects with a life, uncompiled, with moments in 8 and 4 bits.

CPUOffloadOptimizer needs a GPU. Of every element a row is made that is long enough for codes.
"""

from collections.abc import Sequence

import torch
import torchao.optim

from truestep.fast.peers import torch_lives
from truestep.fast.peers.torch_signatures import life
from truestep.fast.protocol import Capability, Observation, Program

# Of so many elements in whole blocks moments have codes.
_ELEMENTS = 4096
# The last keeps plain tensors.
_NAMES = ("Adam4bit", "Adam8bit", "AdamFp8", "AdamW4bit", "AdamW8bit", "AdamWFp8", "_AdamW")

LIVES = tuple(
    life(
        name,
        getattr(torchao.optim, name),
        offers=(*torch_lives.ALL, "tensor_lr"),
        copies=_ELEMENTS,
        level="smoke" if "8" in name else "standard",
    )
    for name in _NAMES
)


def lived(capability: Capability, programs: Sequence[Program]) -> list[list[Observation]]:
    """What is seen in lives of one class."""
    with torch.compiler.set_stance("force_eager"):
        return torch_lives.lived(LIVES, capability, programs)
