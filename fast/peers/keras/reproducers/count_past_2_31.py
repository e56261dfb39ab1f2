"""Steps once from step 2^31 - 1 and prints the counter."""

import os

os.environ["KERAS_BACKEND"] = "torch"
import keras

v = keras.Variable(keras.ops.ones(1))
optimizer = keras.optimizers.SGD()
optimizer.build([v])
optimizer.iterations.assign(2**31 - 1)
optimizer.apply([keras.ops.ones(1)])
print(int(optimizer.iterations.value))
