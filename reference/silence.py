"""NumPy's warnings, off while numbers overflow on purpose.

Operations on small arrays are what a judge's time goes into: np.errstate would take a tenth of it.
"""

import threading

import numpy as np


class _Silence(threading.local):
    """As np.errstate(all="ignore"), and next to nothing where it has been entered already."""

    depth = 0
    before: dict[str, str]

    def __enter__(self) -> None:
        if not self.depth:
            self.before = np.seterr(all="ignore")  # type: ignore[assignment]
        self.depth += 1

    def __exit__(self, *_: object) -> None:
        self.depth -= 1
        if not self.depth:
            np.seterr(**self.before)  # type: ignore[arg-type]


SILENCE = _Silence()
