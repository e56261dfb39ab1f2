"""pytorch-optimizer's optimizers as objects with a life: every class that steps by itself.

Which classes there are the package says; the tables below say what is not as of all the others.
"""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import pytorch_optimizer
from torch.optim import Optimizer

from truestep.fast.peers import torch_lives
from truestep.fast.peers.torch_lives import Life, Named
from truestep.fast.peers.torch_signatures import life

# Classes that cannot be stepped with parameters and gradients alone, and why.
WITHOUT = {
    "AdaHessian": "differentiates the gradients",
    "AdaLOMO": "takes a model, and steps inside the backward pass",
    "AdamMini": "takes a model",
    "AliG": "takes a closure that gives the loss alone",
    "BSAM": "takes a closure, which it evaluates at other parameters",
    "DeMo": "needs a process group",
    "DistributedMuon": "needs a process group",
    "FriendlySAM": "wraps an optimizer",
    "GSAM": "wraps an optimizer",
    "LOMO": "takes a model, and steps inside the backward pass",
    "LoRARite": "takes pairs of matrices",
    "LookSAM": "wraps an optimizer",
    "Lookahead": "wraps an optimizer",
    "Magma": "wraps an optimizer",
    "OrthoGrad": "wraps an optimizer",
    "PCGrad": "wraps an optimizer",
    "SAM": "wraps an optimizer",
    "SafeFP16Optimizer": "wraps an optimizer",
    "ScheduleFreeWrapper": "wraps an optimizer",
    "SophiaH": "differentiates the gradients",
    "TRAC": "wraps an optimizer",
    "WSAM": "wraps an optimizer",
}
# Estimates over several tensors, or numbers drawn from one generator.
_SHARED = (
    "ASGD", "AdaGC", "Adai", "AdamS", "AvaGrad", "DAdaptAdaGrad", "DAdaptAdam", "DAdaptAdan",
    "DAdaptLion", "DAdaptSGD", "Gravity", "Kron", "Prodigy", "Ranger21",
)  # fmt: skip
_MUONS = ("AdaGO", "AdaMuon", "Muon", "MuonClip", "NorMuon")
# These count the steps of all groups together.
_COUNTS_ALL = ("MADGRAD", "StableSPAM")
# Arguments of the constructors: what has no default, makes of a rate another one, keeps most of a
# parameter from being stepped, takes long, or has NumPy's own generator asked.
_ARGUMENTS: dict[str, Named] = {
    "GrokFastAdamW": {"normalize_lr": False},
    "Kron": {"balance_prob": 0.0},
    "Ranger21": {"num_iterations": 100},
    "SaRA": {"threshold": 100.0},
    "SpectralSphere": {"msign_steps": 2, "power_iteration_steps": 2, "solver_max_iterations": 2},
}
# Numbers that the groups of a class do not keep.
_BESIDES = {"A2Grad": ("lr",), "PNM": ("eps",)}
# What of torch_lives.ALL a class does not take: parameters in float64; a closure and gradients as
# the same step, where the loss decides too; groups without use_muon.
_LACKS = {
    "EmoFact": ("closure",),
    "EmoLynx": ("closure",),
    "EmoNavi": ("closure",),
    "FAdam": ("formats",),
    **dict.fromkeys(_MUONS, ("added_groups",)),
}
# Of other tensors another rule makes the step, by numbers of its own.
_MATRICES = ("MARS", "SpectralSphere", *_MUONS)


def _muon(made: Callable[..., Optimizer], groups: list[Named], **numbers: object) -> Optimizer:
    return made([{**group, "use_muon": True} for group in groups], **numbers)


def _life(name: str, made: Callable[..., Any]) -> Life:
    offers = tuple(x for x in torch_lives.ALL if x not in _LACKS.get(name, ()))
    whole = partial(made, **_ARGUMENTS.get(name, {}))
    return life(
        name,
        partial(_muon, made) if name in _MUONS else whole,
        signature=made,
        besides=_BESIDES.get(name, ()),
        offers=offers,
        dialect={
            "counts": "all" if name in _COUNTS_ALL else "group",
            "coupling": "shared" if name in _SHARED else "none",
        },
        shapes="matrices" if name in _MATRICES else "any",
        # There are a hundred: at level standard each is run on the first lives alone.
        level="standard",
    )


def classes() -> dict[str, type[Optimizer]]:
    """The package's own optimizers, by name."""
    found = sorted(vars(pytorch_optimizer).items())
    return {
        name: made
        for name, made in found
        if inspect.isclass(made) and issubclass(made, Optimizer)
        if not made.__module__.startswith("torch.")
    }


LIVES: tuple[Life, ...] = tuple(
    _life(*item) for item in classes().items() if item[0] not in WITHOUT
)
