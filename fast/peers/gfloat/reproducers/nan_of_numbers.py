"""Rounds nan to ocp_e2m1, a format of numbers alone, as a number and in an array."""

import numpy as np
from gfloat import round_float, round_ndarray
from gfloat.formats import format_info_ocp_e2m1 as numbers

for call, x in ((round_float, np.nan), (round_ndarray, np.array(np.nan))):
    try:
        told = str(call(numbers, x, sat=True))
    except ValueError as error:
        told = type(error).__name__
    print(told)
