"""The size of Adafactor's fourth step, with and without relative steps."""

import os

os.environ["KERAS_BACKEND"] = "jax"
import keras

for relative_step in (True, False):
    v = keras.Variable(keras.ops.ones(1))
    optimizer = keras.optimizers.Adafactor(learning_rate=1.0, relative_step=relative_step)
    optimizer.build([v])
    for _ in range(4):
        v.assign(keras.ops.ones(1))
        optimizer.apply([keras.ops.ones(1)], [v])
    print(relative_step, round(1 - v.value[0].item(), 4))
