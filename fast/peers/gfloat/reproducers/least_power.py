"""Rounds 2^-149 to a power of two that ocp_e8m0 has, and encodes it."""

import numpy as np
from gfloat import encode_ndarray, round_ndarray
from gfloat.formats import format_info_ocp_e8m0 as powers

[near] = round_ndarray(powers, np.array([2.0**-149]), sat=True)
[code] = encode_ndarray(powers, np.array([near]))
print(f"2^{int(np.log2(near))}", code)
