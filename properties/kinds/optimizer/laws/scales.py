"""How hyperparameters answer to the gradient's scale: what eps and a coupled decay are added to."""

from truestep.properties.kinds.optimizer.laws.bench import Bench, Trial
from truestep.properties.kinds.optimizer.laws.images import times
from truestep.reference.validation import Array

# The power of the gradient's scale in which an eps grows that is added to it: 2 where it is added
# to squares, inside a root. A dialect decides where the field has one, by its value.
POWERS: dict[str, dict[str, int]] = {
    "eps_placement": {
        "before_correction": 1,
        "floor": 1,
        "in_maximum": 1,
        "in_square": 2,
        "inside": 2,
        "outside": 1,
    },
    "floor_placement": {"inside": 2, "outside": 1},
}
# Of rules whose dialect does not say it.
INSIDE = (
    "adadelta",
    "adalomo",
    "adasmooth",
    "amos",
    "came",
    "distributed_shampoo",
    "dog",
    "shampoo",
    "sm3",
)

# Rules whose only form adds the decay to the gradient.
COUPLED = (
    "accsgd",
    "adam_hd",
    "asgd",
    "cocob",
    "dadapt_adagrad",
    "dadapt_sgd",
    "dog",
    "dowg",
    "heavy_ball",
    "lars",
    "lookahead",
    "polyak_ruppert",
    "sgd_hd",
    "sm3",
)


# Inputs by the power of the gradient's scale in which they grow, where it is not 0.
INPUT_DEGREES = {
    "derivatives": 1,
    "derivatives_after": 1,
    "estimate": 1,
    "g_previous": 1,
    "others": 1,
    "value": 1,
}
# Inputs that change sign with the parameter and the gradient.
ODD_INPUTS = (
    "derivatives", "derivatives_after", "g_previous", "noise", "others", "outputs", "outputs_after",
)  # fmt: skip


def odd_like_p(trial: Trial) -> dict[str, Array]:
    """Those of them with an entry, or several, for every element of the parameter."""
    return {k: x for k, x in like_p(trial).items() if k in ODD_INPUTS}


def like_p(trial: Trial) -> dict[str, Array]:
    """Inputs with an entry, or several, for every element of the parameter."""
    inputs, shape = trial.slot.inputs, trial.p.shape
    return {k: x for k, x in inputs.items() if x.shape[max(0, x.ndim - len(shape)) :] == shape}


def coupled(bench: Bench, trial: Trial) -> bool:
    """Whether the weight decay is added to the gradient."""
    return trial.hyper.get("decay") == "coupled" or bench.capability.rule in COUPLED


def gradient_scaled(bench: Bench, trial: Trial, c: float) -> Trial:
    """g, eps, a coupled decay and the state times the powers of c in which they grow."""
    power = 2 if bench.capability.rule in INSIDE else 1
    for field, powers in POWERS.items():
        power = powers.get(trial.hyper.get(field, ""), power)
    powers_of = {"eps": power, "eps1": power, "graft_eps": 1}
    fields: dict[str, Array] = {
        k: trial.hyper[k] * c**n for k, n in powers_of.items() if k in trial.hyper
    }
    if "weight_decay" in trial.hyper and coupled(bench, trial):
        fields["weight_decay"] = trial.hyper["weight_decay"] * c
    state = {
        k: times(trial.slot.state[k], c**b.degree)
        for k, b in bench.rule.State.BEHAVIOUR.items()
        if b.degree
    }
    inputs = {k: times(x, c ** INPUT_DEGREES.get(k, 0)) for k, x in trial.slot.inputs.items()}
    return trial.where(**fields).on(gradient=times(trial.g, c), **state, **inputs)
