"""Rates after a first metric of nan and twelve that improve."""

import warnings
from types import SimpleNamespace

from truestep.fast.peers.keras.library import keras

# Keras's own conversion of a variable to NumPy.
warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)

callback = keras.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=3, mode="min")
optimizer = keras.optimizers.SGD(1.0)
callback.set_model(SimpleNamespace(optimizer=optimizer))
callback.on_train_begin()
for epoch, metric in enumerate([float("nan"), *range(12, 0, -1)]):
    callback.on_epoch_end(epoch, {"loss": metric})
print(callback.best, float(optimizer.learning_rate))
