"""A recalled backend answers once, and then from memory."""

import numpy as np
import pytest

from truestep.fast.protocol import QuantizerCapability
from truestep.properties.search.recalled import Recalled

CAPABILITY = QuantizerCapability("e4m3")


class Counting:
    """Its answers tell how often it was called."""

    name = "counting"

    def __init__(self):
        self.calls = 0

    def encode(self, capability, x):
        """A call with an array."""
        assert capability is CAPABILITY
        self.calls += 1
        if np.isnan(x).any():
            raise ValueError("no nan")
        return x + self.calls

    def minimize(self, capability, f):
        """A call with a function."""
        self.calls += 1
        return f(self.calls)


def test_the_same_question_is_asked_once():
    """By the bits of what is given, whatever was asked in between."""
    backend = Counting()
    recalled = Recalled(backend, CAPABILITY)
    answers = [recalled.encode(None, np.array([x])) for x in (1.0, 2.0, 1.0)]
    assert [float(a[0]) for a in answers] == [2.0, 4.0, 2.0]
    assert backend.calls == 2


def test_an_exception_is_recalled_too():
    """A backend that raises is not asked to do so again."""
    backend = Counting()
    recalled = Recalled(backend, CAPABILITY)
    for _ in range(2):
        with pytest.raises(ValueError, match="no nan"):
            recalled.encode(None, np.array([np.nan]))
    assert backend.calls == 1


def test_what_is_not_data_is_asked_again():
    """A function cannot be told from another; attributes are the backend's own."""
    backend = Counting()
    recalled = Recalled(backend, CAPABILITY)
    assert [recalled.minimize(None, lambda n: n) for _ in range(2)] == [1, 2]
    assert recalled.name == "counting"
