"""bitsandbytes' optimizers as objects with a life, with state in 32 bits and in 8.

The class of the short name is either, by its argument optim_bits. Paged optimizers are on the CPU
those that are not paged: AdamW's stand for all. AdEMAMix32bit is missing: it cannot step.
"""

from collections.abc import Iterator
from functools import partial

import bitsandbytes.optim

from truestep.fast.peers import torch_lives
from truestep.fast.peers.torch_lives import Life
from truestep.fast.peers.torch_signatures import life

# All of which there are two classes.
_BOTH = ("Adagrad", "Adam", "AdamW", "LAMB", "LARS", "Lion", "PagedAdamW", "RMSprop", "SGD")
# Numbers that are the constructor's alone: momentum becomes one of a pair of betas.
_BESIDES = ("alpha", "lr_decay", "momentum")


def _life(name: str) -> Life:
    made = getattr(bitsandbytes.optim, name)
    # What has a momentum refuses 0, its default; some have no default rate.
    given = {"lr": 0.1, "momentum": 0.8} if name.startswith(("LARS", "RMSprop", "SGD")) else {}
    make = partial(made, **given, **({"min_8bit_size": 0} if name.endswith("8bit") else {}))
    return life(name, make, signature=made, besides=_BESIDES)


def _lives() -> Iterator[Life]:
    for name in _BOTH:
        yield _life(f"{name}32bit")
        yield _life(f"{name}8bit")
    yield _life("AdEMAMix8bit")
    # It takes float32 alone.
    offers = tuple(x for x in torch_lives.ALL if x != "formats")
    make = partial(bitsandbytes.optim.PytorchLARS, momentum=0.8)
    yield life("PytorchLARS", make, offers=offers)


LIVES = tuple(_lives())
