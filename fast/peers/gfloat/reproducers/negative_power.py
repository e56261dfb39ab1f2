"""Rounds -1.25 to a power of two, all of which are positive, and encodes it."""

import numpy as np
from gfloat import encode_ndarray, round_ndarray
from gfloat.formats import format_info_ocp_e8m0 as powers

try:
    near = round_ndarray(powers, np.array([-1.25]), sat=True)
    print(near[0], encode_ndarray(powers, near)[0])
except ValueError as error:
    print(type(error).__name__)
