"""What is made of Lamb's configuration and, beside it, of Adam's."""

import os
import warnings

os.environ["KERAS_BACKEND"] = "torch"

import keras

warnings.simplefilter("ignore")
for made in (keras.optimizers.Adam, keras.optimizers.Lamb):
    configuration = keras.optimizers.serialize(made())
    print(type(keras.optimizers.deserialize(configuration)).__name__)
