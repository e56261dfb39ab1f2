"""The tables of optimizer rules: the name of a rule to the module that defines it."""

from typing import TypeAlias

from truestep.reference.rules import Optimizer, table

Rule: TypeAlias = Optimizer

OPTIMIZERS: dict[str, Optimizer] = table(
    __name__,
    Optimizer,
    "adabelief",
    "adabound",
    "adadelta",
    "adafactor",
    "adagrad",
    "adalomo",
    "adam",
    "adam_16bit",
    "adam_mini",
    "adamax",
    "adamw",
    "adan",
    "ademamix",
    "adopt",
    "aggmo",
    "amsgrad",
    "apollo",
    "asgd",
    "came",
    "cautious_lion",
    "diffgrad",
    "distributed_shampoo",
    "fromage",
    "galore",
    "grams",
    "heavy_ball",
    "kbfgs",
    "kfac",
    "lamb",
    "lars",
    "lion",
    "lms",
    "lomo",
    "ml_lbfgs",
    "muon",
    "nadam",
    "nesterov",
    "novograd",
    "online_lbfgs",
    "optimistic_adam",
    "optimistic_gradient",
    "perceptron",
    "polyak_ruppert",
    "prodigy",
    "qhadam",
    "qhm",
    "radam",
    "rmsprop",
    "robbins_monro",
    "rprop",
    "schedule_free_adamw",
    "schedule_free_sgd",
    "sgd",
    "shampoo",
    "signsgd",
    "signum",
    "sm3",
    "soap",
    "sophia",
    "stable_adamw",
    "swats",
    "yogi",
)

# Rules whose step takes the function itself in the place of a gradient.
FROM_FUNCTION: dict[str, Optimizer] = table(
    __name__, Optimizer, "kiefer_wolfowitz", "lbfgs", "sr1_cubic"
)
