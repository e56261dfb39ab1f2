"""Keras's callback ReduceLROnPlateau at the end of an epoch, on the torch backend.

Arithmetic: the rate is a float32 variable, times the factor in double; metrics and thresholds are
Python's numbers, which are compared in float32.
"""

from types import SimpleNamespace

import numpy as np

from truestep.fast.peers.keras.library import keras
from truestep.fast.peers.training_row import Row
from truestep.fast.protocol import Inputs, Outputs
from truestep.reference.declared import Hyper


def _plateau(h: Hyper, inputs: Inputs) -> Outputs:
    callback = keras.callbacks.ReduceLROnPlateau(
        monitor="metric",
        factor=h.factor,
        patience=h.patience,
        mode=h.mode,
        min_delta=h.atol,
        cooldown=h.cooldown,
        min_lr=h.min_lr,
    )
    optimizer = keras.optimizers.SGD(inputs["lr"])
    callback.set_model(SimpleNamespace(optimizer=optimizer))
    callback.on_train_begin()
    worst = np.inf if h.mode == "min" else -np.inf
    # Before the first metric it has none.
    callback.best = None if inputs["best"] == worst else float(inputs["best"])
    callback.wait, callback.cooldown_counter = inputs["bad"], inputs["cooling"]
    callback.on_epoch_end(0, {"metric": float(inputs["metric"])})
    return {
        "lr": float(optimizer.learning_rate),
        "best": np.asarray(callback.best, np.float32),
        "bad": callback.wait,
        "cooling": callback.cooldown_counter,
        # It takes no means.
        "mean": inputs["mean"],
        "seen": inputs["seen"],
    }


def _row(mode: str) -> Row:
    dialect = {"cooled": "next", "emptied": "reduced", "patience_ends": "reached", "mode": mode}
    fixed = {"accumulation": 1, "eps": 0.0, "rtol": 0.0}
    return Row("reduce_on_plateau", mode, _plateau, dialect, fixed)


ROWS: tuple[Row, ...] = (_row("max"), _row("min"))
