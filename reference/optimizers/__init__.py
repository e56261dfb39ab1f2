"""The tables of optimizer rules: the name of a rule to the module that defines it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from truestep.reference.optimizers import (
    adadelta,
    adafactor,
    adagrad,
    adalomo,
    adam,
    adam_16bit,
    adam_mini,
    adamax,
    adamw,
    adamw_8bit,
    adan,
    ademamix,
    amsgrad,
    apollo,
    apollo_mini,
    asgd,
    came,
    distributed_shampoo,
    galore,
    heavy_ball,
    kbfgs,
    kfac,
    kiefer_wolfowitz,
    lamb,
    lars,
    lbfgs,
    lion,
    lms,
    lomo,
    ml_lbfgs,
    muon,
    nadam,
    nesterov,
    online_lbfgs,
    perceptron,
    polyak_ruppert,
    prodigy,
    radam,
    rmsprop,
    robbins_monro,
    schedule_free_adamw,
    schedule_free_sgd,
    sgd,
    shampoo,
    signsgd,
    signum,
    sm3,
    soap,
    sophia,
    sr1_cubic,
    stable_adamw,
    swats,
)


class Rule(Protocol):
    """What the module of a rule offers; its callables agree on its Hyper and State."""

    @property
    def DIALECTS(self) -> dict[str, dict[str, str]]:
        """Every choice on which libraries differ: field of Hyper -> value -> what it means."""
        ...

    @property
    def ELEMENTWISE(self) -> bool:
        """Whether each element is updated by itself, so that tensors of one count may be joined."""
        ...

    @property
    def Hyper(self) -> type[Any]:
        """The validated hyperparameters, a frozen dataclass with a default for every field."""
        ...

    @property
    def State(self) -> type[Any]:
        """What a rule carries between steps, a frozen dataclass that begins with the counter t."""
        ...

    @property
    def init(self) -> Callable[..., Any]:
        """init(h, p): the state before the first step."""
        ...

    @property
    def step(self) -> Callable[..., tuple[Any, Any]]:
        """step(h, s, p, g): the new state and the new p."""
        ...


OPTIMIZERS: dict[str, Rule] = {
    "adadelta": adadelta,
    "adafactor": adafactor,
    "adagrad": adagrad,
    "adalomo": adalomo,
    "adam": adam,
    "adam_16bit": adam_16bit,
    "adam_mini": adam_mini,
    "adamax": adamax,
    "adamw": adamw,
    "adamw_8bit": adamw_8bit,
    "adan": adan,
    "ademamix": ademamix,
    "amsgrad": amsgrad,
    "apollo": apollo,
    "apollo_mini": apollo_mini,
    "asgd": asgd,
    "came": came,
    "distributed_shampoo": distributed_shampoo,
    "galore": galore,
    "heavy_ball": heavy_ball,
    "kbfgs": kbfgs,
    "kfac": kfac,
    "lamb": lamb,
    "lars": lars,
    "lion": lion,
    "lms": lms,
    "lomo": lomo,
    "ml_lbfgs": ml_lbfgs,
    "muon": muon,
    "nadam": nadam,
    "nesterov": nesterov,
    "online_lbfgs": online_lbfgs,
    "perceptron": perceptron,
    "polyak_ruppert": polyak_ruppert,
    "prodigy": prodigy,
    "radam": radam,
    "rmsprop": rmsprop,
    "robbins_monro": robbins_monro,
    "schedule_free_adamw": schedule_free_adamw,
    "schedule_free_sgd": schedule_free_sgd,
    "sgd": sgd,
    "shampoo": shampoo,
    "signsgd": signsgd,
    "signum": signum,
    "sm3": sm3,
    "soap": soap,
    "sophia": sophia,
    "stable_adamw": stable_adamw,
    "swats": swats,
}

# Rules whose step takes the function itself in the place of a gradient.
FROM_FUNCTION: dict[str, Rule] = {
    "kiefer_wolfowitz": kiefer_wolfowitz,
    "lbfgs": lbfgs,
    "sr1_cubic": sr1_cubic,
}
