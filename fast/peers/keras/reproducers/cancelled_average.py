"""Whether Adam's first moment without memory is the gradient, to float32's precision."""

import os

os.environ["KERAS_BACKEND"] = "torch"
import keras

v = keras.Variable(keras.ops.ones(1))
optimizer = keras.optimizers.Adam(beta_1=0.0)
optimizer.build([v])
for gradient in (1.0, 1e-4):
    # The step that every backend has, not torch's own over lists.
    optimizer.update_step(keras.ops.full((1,), gradient), v, keras.ops.ones(()))
print(abs(optimizer._momentums[0].value[0].item() / 1e-4 - 1) < 1e-6)
