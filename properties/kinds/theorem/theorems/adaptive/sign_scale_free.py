"""signSGD's trajectory knows of the gradient its signs alone."""

from truestep.properties.kinds.theorem.theorems.adaptive import scale_free
from truestep.properties.kinds.theorem.theorems.controls import another
from truestep.properties.kinds.theorem.theorems.kernels import Kernel, reference
from truestep.properties.kinds.theorem.theorems.theorem import (
    Evidence,
    Subject,
    Theorem,
    Trial,
    spoilt,
)

# Down to gradients near the least normal number of float32, and up to its largest ones.
FACTORS = (2.0**-110, 1e-20, 3.0, 2.0**110)


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """Random gradients, and multiples of them over the whole range."""
    plain = {"lr": 0.125, "weight_decay": 0.25}
    return scale_free.agreeing(kernel, trial, plain={**plain}, factors=FACTORS)


SIGN_SCALE_FREE = Theorem(
    name="sign_scale_free",
    topic="adaptive",
    statement=(
        "Gradients c g_1, c g_2, ... take signSGD, decay outside the sign, where g_1, g_2, ... "
        "take it, to the last bit, for every c > 0 that loses no gradient."
    ),
    source="by definition; J. Bernstein et al., ICML 2018 (arXiv:1802.04434), section 1",
    subject=Subject(
        "signsgd",
        dialect={"decay": ("in_step", "before")},
        sets=("lr", "weight_decay"),
        formats=("bfloat16", "float32", "float64"),
    ),
    constants={"lr": 0.125, "weight_decay": 0.25},
    experiment=experiment,
    controls=spoilt(
        experiment,
        **{
            "decay inside the sign": another(
                reference("signsgd", decay="coupled"), "lr", "weight_decay"
            ),
            "Adam in its place": another(reference("adam"), "lr"),
        },
    ),
    axes=("t", "way from the start"),
    changed="the parameter",
)
