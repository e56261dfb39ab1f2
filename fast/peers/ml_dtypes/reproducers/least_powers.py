"""Casts 1, 1.25, 1.5 and 1.75 times 2^-127 to float8_e8m0fnu and prints them over 2^-127."""

import ml_dtypes
import numpy as np

x = np.array([1, 1.25, 1.5, 1.75], np.float32) * np.float32(2.0**-127)
print((x.astype(ml_dtypes.float8_e8m0fnu).astype(np.float64) * 2.0**127).tolist())
