"""Correct float32 kernels of the rules of one example, line by line: see lines.py."""

from __future__ import annotations

import numpy as np

from truestep.properties.museum.lines import Home, Kernel

LMS: Kernel = {
    "d": lambda x: x.response,
    "error": lambda x: x.d - np.sum(x.p * x.g),
    "step": lambda x: x.h.lr * x.error * x.g / (x.h.eps + np.sum(x.g * x.g)),
    "new_p": lambda x: x.p + x.step,
    "new_t": lambda x: x.s.t + 1,
}

PERCEPTRON: Kernel = {
    "score": lambda x: x.response * np.sum(x.p * x.g),
    "mistake": lambda x: x.score <= 0,
    "correction": lambda x: x.h.lr * x.response * x.g,
    "new_p": lambda x: x.p + x.correction if x.mistake else x.p,
    "new_t": lambda x: x.s.t + 1,
}

EXAMPLE_KERNELS = {
    "lms": Home(LMS, {"normalization": "power"}),
    "perceptron": Home(PERCEPTRON),
}
