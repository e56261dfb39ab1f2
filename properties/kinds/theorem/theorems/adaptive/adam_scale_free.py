"""Adam's trajectory does not know the gradient's unit."""

from truestep.properties.kinds.theorem.theorems.adaptive import scale_free
from truestep.properties.kinds.theorem.theorems.controls import another, held
from truestep.properties.kinds.theorem.theorems.kernels import Kernel, reference
from truestep.properties.kinds.theorem.theorems.theorem import (
    Evidence,
    Subject,
    Theorem,
    Trial,
    spoilt,
)


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """Random gradients, and 2^-9 and 2^7 times as large ones."""
    return scale_free.agreeing(kernel, trial, plain={"lr": 0.125, "eps": 0.0})


ADAM_SCALE_FREE = Theorem(
    name="adam_scale_free",
    topic="adaptive",
    statement=(
        "With eps = 0 and no decay, gradients c g_1, c g_2, ... take Adam where g_1, g_2, ... take "
        "it, for every c > 0; to the last bit where c is a power of two."
    ),
    source="D. P. Kingma, J. Ba, ICLR 2015 (arXiv:1412.6980), section 2.1",
    subject=Subject(
        "adam",
        sets=("lr", "eps"),
        formats=("bfloat16", "float32", "float64"),
        storage=("dynamic_8bit",),
    ),
    constants={"lr": 0.125, "eps": 0.0},
    experiment=experiment,
    controls=spoilt(
        experiment,
        **{"eps = 1/16": held(eps=0.0625), "SGD in its place": another(reference("sgd"), "lr")},
    ),
    axes=("t", "way from the start"),
    changed="the parameter",
)
