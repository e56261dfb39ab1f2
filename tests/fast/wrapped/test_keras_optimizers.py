"""Keras's optimizers are understood by the variables that they make."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="torch is not installed")

from truestep import wrap
from truestep.fast.discovery import BrokenBackend
from truestep.fast.protocol import BackendUnavailable

try:
    from truestep.fast.peers.keras.library import keras
except BackendUnavailable as unavailable:
    pytest.skip(str(unavailable), allow_module_level=True)


# Keras takes seconds to import.
pytestmark = pytest.mark.power


def test_lion() -> None:
    """Its rate is a tensor in float32."""
    backend = wrap.keras(keras.optimizers.Lion, "lion")
    assert backend.found.dialect == {"nan_sign": "zero"}
    assert {f: place.name for f, place in backend.found.state.items()} == {"m": "momentum"}
    assert backend.declaration.endswith("arithmetic tensor_lr_counter")


def test_adam() -> None:
    """Found by a function that makes it, with names that have underscores."""

    def make(learning_rate: float = 1e-3, beta_1: float = 0.9, beta_2: float = 0.999) -> object:
        return keras.optimizers.Adam(learning_rate, beta_1, beta_2, weight_decay=0.0)

    backend = wrap.keras(make, "adam")
    assert backend.found.numbers == {"lr": "learning_rate", "beta1": "beta_1", "beta2": "beta_2"}


def test_what_is_no_optimizer() -> None:
    """Is told in one line."""
    with pytest.raises(BrokenBackend, match=r"is no keras\.optimizers\.Optimizer"):
        wrap.keras(keras.layers.Dense)
