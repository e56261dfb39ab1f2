"""torch_optimizer's classes as objects with a life."""

import inspect

import torch_optimizer
from torch.optim import Optimizer

from truestep.fast.peers import torch_lives
from truestep.fast.peers.torch_lives import Life
from truestep.fast.peers.torch_signatures import life

# Classes that cannot be stepped with parameters and gradients alone, and why.
WITHOUT = {"Adahessian": "differentiates the gradients", "Lookahead": "wraps an optimizer"}
# These count the steps of all groups together.
_COUNTS_ALL = ("MADGRAD",)
# Of the formats, some have no decomposition.
_FLOAT32 = ("Shampoo",)


def classes() -> dict[str, type[Optimizer]]:
    """The package's optimizers, by name."""
    found = sorted(vars(torch_optimizer).items())
    return {
        name: made
        for name, made in found
        if inspect.isclass(made) and issubclass(made, Optimizer) and made is not Optimizer
    }


def _life(name: str, made: type[Optimizer]) -> Life:
    lacks = ("formats",) if name in _FLOAT32 else ()
    offers = tuple(x for x in torch_lives.ALL if x not in lacks)
    counts = "all" if name in _COUNTS_ALL else "parameter"
    return life(name, made, offers=offers, dialect={"counts": counts}, level="standard")


LIVES: tuple[Life, ...] = tuple(
    _life(*item) for item in classes().items() if item[0] not in WITHOUT
)
