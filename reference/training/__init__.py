"""The table of training-loop pieces: what happens to gradients, losses and rates around a rule."""

from __future__ import annotations

from typing import Any, Protocol

from truestep.reference.training import (
    adaptive_gradient_clipping,
    adaptive_loss_scaling,
    clip_by_global_norm,
    clip_by_value,
    data_parallel,
    dynamic_loss_scaling,
    gradient_accumulation,
    gradient_noise_scale,
    linear_scaling,
    mup_adam,
    mup_sgd,
    stale_gradients,
)


class Piece(Protocol):
    """What every module has; its functions are its own, and its docstring is a rule's."""

    @property
    def DIALECTS(self) -> dict[str, dict[str, str]]:
        """Every choice on which libraries differ: field of Hyper -> value -> what it means."""
        ...

    @property
    def Hyper(self) -> type[Any]:
        """The validated hyperparameters, a frozen dataclass with a default for every field."""
        ...


TRAINING: dict[str, Piece] = {
    "adaptive_gradient_clipping": adaptive_gradient_clipping,
    "adaptive_loss_scaling": adaptive_loss_scaling,
    "clip_by_global_norm": clip_by_global_norm,
    "clip_by_value": clip_by_value,
    "data_parallel": data_parallel,
    "dynamic_loss_scaling": dynamic_loss_scaling,
    "gradient_accumulation": gradient_accumulation,
    "gradient_noise_scale": gradient_noise_scale,
    "linear_scaling": linear_scaling,
    "mup_adam": mup_adam,
    "mup_sgd": mup_sgd,
    "stale_gradients": stale_gradients,
}
