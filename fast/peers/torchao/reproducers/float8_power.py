"""The scale that is to be a power of two of the number after 448 times 2^-30, by its exponent.

448 over that is below 2^30.
"""

import math

import torch
from torchao.float8.float8_utils import amax_to_scale

amax = torch.nextafter(torch.tensor(448 * 2.0**-30), torch.tensor(torch.inf))
print(math.log2(float(amax_to_scale(amax, torch.float8_e4m3fn, round_scales_to_power_of_2=True))))
