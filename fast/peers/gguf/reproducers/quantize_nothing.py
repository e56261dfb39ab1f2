"""The shape of the bytes of an empty tensor, by the name of its type."""

import sys

import numpy as np
from gguf import GGMLQuantizationType, quants

try:
    print(quants.quantize(np.zeros((3, 0), np.float32), GGMLQuantizationType[sys.argv[1]]).shape)
except Exception as error:
    print(type(error).__name__)
