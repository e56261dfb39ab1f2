"""Adaptive loss scaling: a scale for each layer, from the sizes it multiplies (Zhao et al. 2020).

Rule
    sigma = sqrt((sigma_g^2 + mu_g^2) (sigma_w^2 + mu_w^2)) sqrt(fan_in / 2)
    scale = least / (sqrt(2) erfinv(tolerance) sigma)
    scale = min(max(scale, 1), greatest / (fan_in largest)), 1 where sigma = 0
    scale is rounded down to a power of two, 2^127 at most
    the error passed down is multiplied by scale
    a layer's weight gradient is divided by the product of the scales above it

Shapes
    delta, w: the error arriving at a layer and its weights, of any shapes; the scale is 0-d. run:
    delta, weight, its gradient below layers of scales_above, and fan_in, to scale, the flag skipped
    and the new weight; the optimizer is SGD with rate RATE.

Domain
    0 < tolerance < 1; least, greatest > 0; fan_in an integer >= 1.

Choices
    The mean and standard deviation are the authors' sigma and mu of error and weights, taken over
    all elements; largest is the greatest |element| of error times weights, max |delta| max |w|
    here. Rounding down to powers of two, so that scaling rounds nothing, is the authors' code's.
    Layers whose scaled error is not finite are skipped as a whole: as in dynamic loss scaling the
    step then leaves parameters and state as they are, and the next step computes its scales anew,
    without a counter.

Special cases
    A zero error has scale 1. A scale that cannot reach 1 without overflow is 1. inf or nan in the
    error give scale 1 and a step that is skipped.

Judged
    The scale as a power of two exactly; where rounding may turn it either way, either. skipped and
    what a skipped step leaves exactly, the weight by the bounded contract.

Sources
    R. Zhao, B. Vogel, T. Ahmed, W. Luk, "Reducing Underflow in Mixed Precision Training by Gradient
    Scaling", IJCAI 2020 (as arXiv:1910.12385, "Adaptive Loss Scaling for Mixed Precision
    Training"). The authors' gradient-scaling.
"""

import math
from collections.abc import Sequence
from typing import Annotated

import numpy as np
from scipy.special import erfinv

from truestep.reference import declared
from truestep.reference.declared import Real
from truestep.reference.training.dynamic_loss_scaling import RATE, chosen, finite
from truestep.reference.validation import Array

DIALECTS: dict[str, dict[str, str]] = {}
INPUTS = {
    "delta": "array",
    "fan_in": "count",
    "gradient": "tensor",
    "scales_above": "numbers",
    "weight": "tensor",
}
OPTIONAL = ()
POWERS = 2.0 ** np.arange(128)


class Hyper(declared.Hyper):
    """The tolerated share of underflow, and the range of the format: float16's by default."""

    tolerance: Annotated[float, Real(0.0, 1.0, "both", (1e-3, 1e-2, 0.3))] = 1e-3
    least: Annotated[float, Real(0.0, open="low", usual=(2.0**-24, 2.0**-16, 2.0**-9))] = 2.0**-24
    greatest: Annotated[float, Real(0.0, open="low", usual=(65504.0, 57344.0, 448.0))] = 65504.0


def layer_scale(h: Hyper, delta: Array, w: Array, fan_in: int) -> Array:
    """The scale by which a layer multiplies the error delta that it passes down through w."""
    if not (delta.size and w.size and finite([delta])):
        return np.ones(())
    sigma = np.sqrt(np.mean(delta * delta) * np.mean(w * w)) * np.sqrt(fan_in / 2)
    largest = np.max(np.abs(delta)) * np.max(np.abs(w))
    nothing = (sigma == 0) | (largest == 0)
    sigma, largest = np.where(nothing, 1.0, sigma), np.where(nothing, 1.0, largest)
    scale = h.least / (np.sqrt(2.0) * erfinv(h.tolerance) * sigma)
    scale = np.minimum(np.maximum(scale, 1.0), h.greatest / (fan_in * largest))
    scale = np.where(nothing, 1.0, scale)
    return np.max(np.where(scale >= POWERS, POWERS, np.ones_like(scale)))


def unscale(g: Array, scales_above: Sequence[Array]) -> Array:
    """The weight gradient of the loss itself, below layers of these scales."""
    return g / math.prod(scales_above)


def run(
    h: Hyper,
    *,
    delta: Array,
    weight: Array,
    gradient: Array,
    fan_in: int,
    scales_above: Sequence[Array],
) -> dict[str, Array]:
    """A layer's part of a backward pass: its scale, and its step or no step."""
    was_finite = finite([delta, gradient])
    stepped = weight - RATE * unscale(gradient, scales_above)
    return {
        "scale": layer_scale(h, delta, weight, fan_in),
        "skipped": not was_finite,
        "weight": chosen(was_finite, weight, stepped),
    }
