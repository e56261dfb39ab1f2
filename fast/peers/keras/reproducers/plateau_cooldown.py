"""After which of equal metrics the rate falls, without a cooldown and with cooldowns of 1 and 2."""

import warnings
from types import SimpleNamespace

from truestep.fast.peers.keras.library import keras

# Keras's own conversion of a variable to NumPy.
warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)

for cooldown in (0, 1, 2):
    callback = keras.callbacks.ReduceLROnPlateau(
        "loss", factor=0.5, patience=2, mode="min", cooldown=cooldown
    )
    optimizer = keras.optimizers.SGD(1.0)
    callback.set_model(SimpleNamespace(optimizer=optimizer))
    callback.on_train_begin()
    falls = []
    for epoch in range(1, 10):
        before = float(optimizer.learning_rate)
        callback.on_epoch_end(epoch, {"loss": 1.0})
        if float(optimizer.learning_rate) < before:
            falls.append(epoch)
    print(cooldown, falls[:2])
