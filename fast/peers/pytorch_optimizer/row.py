"""What a row of pytorch-optimizer's tables says, and what many rows share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

PATHS = ("single", "foreach")


@dataclass(frozen=True, slots=True)
class Row:
    """One of the library's optimizers as an implementation of a reference rule.

    state: the reference's fields and the library's names of tensors. numbers: the reference's
    hyperparameters and the library's arguments, besides lr and maximize; several that share an
    argument ("betas") form a tuple; "-" before an argument that is the negative. options: other
    constructor arguments. group: entries of the parameter group. scalars: the reference's fields
    and names of numbers in the parameter group. squeezed: axes of size 1 that the library leaves
    out. bridge: what carries the rest of the state across, by its name in
    pytorch_optimizer_states.py. first: the library's number of the first step, less one. module:
    name of the parameter of a model, for optimizers that are built of one. fused: whether the step
    is made inside backward(). estimate: whether step() takes estimates of the Hessian's diagonal.
    made: whether the library makes the state before the bridge fills it.
    """

    rule: str
    optimizer: str
    state: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[str, str] = field(default_factory=dict)
    prefix: str = ""
    dialect: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    paths: tuple[str, ...] = PATHS
    scalars: Mapping[str, str] = field(default_factory=dict)
    squeezed: Mapping[str, int] = field(default_factory=dict)
    bridge: str = ""
    group: Mapping[str, Any] = field(default_factory=dict)
    first: int = 0
    module: str = ""
    fused: bool = False
    shapes: Literal["any", "nonempty", "matrices"] = "any"
    single: bool = False
    arithmetic: str = "ieee_float32"
    estimate: bool = False
    made: bool = False


MOMENTS = {"m": "exp_avg", "v": "exp_avg_sq"}
DECAY = {"weight_decay": "weight_decay"}
EPS = {"eps": "eps"}
BETAS = {"beta1": "betas", "beta2": "betas"}
BETAS3 = {**BETAS, "beta3": "betas"}
FACTORED = {"r": "exp_avg_sq_row", "c": "exp_avg_sq_col", "v": "exp_avg_sq"}
SIDES = {"r": -1, "c": -2}
INSTABILITY = {"instability_r": "exp_avg_res_row", "instability_c": "exp_avg_res_col"}
WEIGHTS = {"r": "r", "weight_lr_power": "weight_lr_power", "warmup_steps": "warmup_steps"}
# torch.sign(nan) is 0.
NAN_SIGN = {"nan_sign": "zero"}
COUPLED = {"weight_decouple": False}
DECOUPLED = {"weight_decouple": True}
