"""What a library's own table of the dynamic 8-bit map says about its dialect."""

import numpy as np

from truestep.fast.protocol import Array
from truestep.reference.quantizers import dynamic_8bit


def map_dialect(signed_map: Array) -> str:
    """Which of the reference's two roundings of the map a library's own table shows."""
    separate = dynamic_8bit.all_values(dynamic_8bit.Hyper(map="separate"))
    return "separate" if np.array_equal(signed_map, separate) else "fused"
