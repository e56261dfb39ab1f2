"""What a backend gives back, looked at where it is: whose memory a result shares."""

import zlib

import numpy as np

from truestep.fast.host.walk import arrays_in
from truestep.fast.protocol import Array

# Bytes of results that are kept until the next call, to see whether they stay as they are.
_KEPT = 2**20


class Results:
    """The arrays of the last call, and what they held."""

    def __init__(self, inputs: memoryview) -> None:
        self._first = np.frombuffer(inputs, np.uint8).ctypes.data
        self._last = self._first + len(inputs)
        self._kept: list[tuple[Array, int]] = []

    def changed(self) -> list[str]:
        """What has become of the last call's results since."""
        changed = any(_digest(x) != was for x, was in self._kept)
        return ["a result, after the call that gave it"] if changed else []

    def aliased(self, found: object) -> list[str]:
        """Which results share memory with inputs, or with results of the call before."""
        arrays = [x for _, x in arrays_in(found) if x.size]
        left = []
        if any(self._first <= x.__array_interface__["data"][0] < self._last for x in arrays):
            left.append("its inputs' memory, which a result shares")
        if any(np.may_share_memory(x, old) for x in arrays for old, _ in self._kept):
            left.append("an earlier result's memory, which a result shares")
        small = sum(x.nbytes for x in arrays) <= _KEPT
        self._kept = [(x, _digest(x)) for x in arrays] if small else []
        return left


def _digest(x: Array) -> int:
    return zlib.crc32(x.tobytes())
