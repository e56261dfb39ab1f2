"""Faults in the rules of one example, LMS and the perceptron: errors, ties and factors."""

from __future__ import annotations

import numpy as np

from truestep.properties.museum.fault import Fault

EXAMPLE = {
    "lms_error_by_next_weights": Fault(
        "lms",
        "example",
        "the error is that of weights already moved by it, as in a loop that writes in place",
        "state read after it was written",
        lines={"error": lambda x: x.d - np.sum((x.p + x.h.lr * x.d * x.g) * x.g)},
    ),
    "lms_error_signed_wrong": Fault(
        "lms",
        "example",
        "the step climbs the squared error: e is output less response",
        "a sign of the error that belongs to the other order of the difference",
        lines={"error": lambda x: np.sum(x.p * x.g) - x.d},
    ),
    "lms_normalized_by_the_length": Fault(
        "lms",
        "example",
        "normalized by the input's length, where its square is meant",
        "texts that write the norm without its square",
        lines={"step": lambda x: x.h.lr * x.error * x.g / (x.h.eps + np.sqrt(np.sum(x.g * x.g)))},
    ),
    "lms_square_declared_half": Fault(
        "lms",
        "example",
        "the gradient of e^2, not of e^2 / 2",
        "texts on either side of Widrow & Hoff's factor 2",
        lines={"step": lambda x: 2 * x.h.lr * x.error * x.g / (x.h.eps + np.sum(x.g * x.g))},
        computes="lms with gradient of the squared error, twice as long",
    ),
    "perceptron_corrects_always": Fault(
        "perceptron",
        "example",
        "every example is corrected, not the mistakes alone",
        "Hebb's rule in the perceptron's place",
        lines={"mistake": lambda x: True},
    ),
    "perceptron_response_missing": Fault(
        "perceptron",
        "example",
        "a mistake adds the input, whichever its class",
        "a label of 0 or 1 taken for -1 or 1",
        lines={"correction": lambda x: x.h.lr * x.g},
    ),
    "perceptron_tie_left_alone": Fault(
        "perceptron",
        "example",
        "a score of zero counts as right, so that p = 0 never learns",
        "a strict comparison",
        check="update_alone",
        lines={"mistake": lambda x: x.score < 0},
        computes="perceptron with a score of zero is left alone",
    ),
}
