"""torch.amp.GradScaler and an optimizer, driven together: one object with a life."""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import cast

import torch
from torch.optim import Optimizer

from truestep.fast.peers.torch_lives import Life, Named

# Scales and factors are powers of two: gradients come back as they were.
_SCALE, _INTERVAL = 8.0, 2


class Scaled:
    """Steps like an optimizer: gradients are scaled, unscaled, and looked at for infinities.

    Its state dictionary holds those of both, that of the optimizer as a copy, since torch's are
    shared. Of every parameter's state the scaler's is a part.
    """

    def __init__(self, optimizer: Optimizer, scaler: torch.amp.GradScaler) -> None:
        self.optimizer, self.scaler = optimizer, scaler

    @property
    def param_groups(self) -> list[Named]:
        """The optimizer's."""
        groups: list[Named] = self.optimizer.param_groups
        return groups

    @property
    def state(self) -> Mapping[torch.Tensor, Named]:
        """The optimizer's, by parameter, and the scaler's dictionary."""
        own = self.scaler.state_dict()
        params = [p for group in self.param_groups for p in group["params"]]
        return {p: {**self.optimizer.state.get(p, {}), "scaler": own} for p in params}

    def add_param_group(self, group: Named) -> None:
        """To the optimizer."""
        self.optimizer.add_param_group(group)

    def step(self) -> None:
        """As in a loop of training that looks at its gradients: scale, unscale_, step, update."""
        factor = self.scaler.scale(torch.ones(()))
        for p in (p for group in self.param_groups for p in group["params"]):
            p.grad = None if p.grad is None else p.grad * factor
        self.scaler.unscale_(self.optimizer)
        self.scaler.step(self.optimizer)
        self.scaler.update()

    def state_dict(self) -> Named:
        """Both."""
        own = copy.deepcopy(self.optimizer.state_dict())
        return {"optimizer": own, "scaler": self.scaler.state_dict()}

    def load_state_dict(self, held: Named) -> None:
        """Both."""
        self.optimizer.load_state_dict(copy.deepcopy(held["optimizer"]))
        self.scaler.load_state_dict(held["scaler"])


# Arguments of the scaler.
_OF_SCALER = ("backoff_factor", "enabled", "growth_factor", "growth_interval", "init_scale")


def life(
    name: str, made: Callable[[Optimizer, torch.amp.GradScaler], object] = Scaled, **numbers: float
) -> Life:
    """The pair with torch's optimizer of that name. made: of both, what is driven."""

    def make(groups: Sequence[Named], **given: float) -> Optimizer:
        own: Named = {name: given.pop(name) for name in _OF_SCALER if name in given}
        if "growth_interval" in own:
            own["growth_interval"] = int(own["growth_interval"])
        optimizer = getattr(torch.optim, name)(groups, **given)
        return cast(Optimizer, made(optimizer, torch.amp.GradScaler("cpu", **own)))

    return Life(
        f"GradScaler_{name}",
        make,
        numbers={**numbers, "init_scale": _SCALE, "growth_interval": _INTERVAL},
        wrong={"backoff_factor": 1.0, "growth_factor": 1.0},
        offers=("added_groups", "groups", "skips"),
        # A step is left out for all parameters.
        dialect={"coupling": "shared"},
    )


LIVES = (life("AdamW", lr=0.03, weight_decay=0.07), life("SGD", lr=0.03, momentum=0.8))
