"""Adam after a step, and its copies by deepcopy and pickle: the steps that each has counted."""

import copy
import os
import pickle
import warnings

os.environ["KERAS_BACKEND"] = "torch"

import keras

warnings.simplefilter("ignore")
p = keras.Variable([1.0])
optimizer = keras.optimizers.Adam(0.1)
optimizer.apply_gradients([(keras.ops.ones(1), p)])
copies = (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer)))
print(*(int(x.iterations.numpy()) for x in (optimizer, *copies)))
