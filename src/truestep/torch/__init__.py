"""Optimizers of torch over TrueStep's CPU kernels, with states in float32, bfloat16 or 8 bits.

`from truestep.torch import AdamW` takes the arguments of torch.optim.AdamW and reads and writes its
state dicts; `state="8bit"` keeps a moment in 65 bytes for 64 elements. A class exists where
csrc/rules has a kernel of its rule: OPTIMIZERS holds those.
"""

from typing import TYPE_CHECKING

from truestep.torch import optimizers
from truestep.torch.embedding import StableEmbedding
from truestep.torch.optimizer import Optimizer
from truestep.torch.rows import offered

if TYPE_CHECKING:
    from truestep.torch.optimizers import (
        LAMB,
        LARS,
        SGD,
        Adagrad,
        Adam,
        AdamW,
        AdEMAMix,
        Lion,
        RMSprop,
    )

OPTIMIZERS: dict[str, type[Optimizer]] = {
    name: made
    for name, made in vars(optimizers).items()
    if isinstance(made, type) and hasattr(made, "row") and made.row.stepping.rule in offered()
}

if TYPE_CHECKING:
    __all__ = [
        "LAMB",
        "LARS",
        "OPTIMIZERS",
        "SGD",
        "AdEMAMix",
        "Adagrad",
        "Adam",
        "AdamW",
        "Lion",
        "RMSprop",
        "StableEmbedding",
    ]
else:
    __all__ = ["OPTIMIZERS", "StableEmbedding", *OPTIMIZERS]
    globals().update(OPTIMIZERS)
