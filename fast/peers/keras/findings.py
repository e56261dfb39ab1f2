"""Departures of Keras's optimizers, each with its reproducer."""

from __future__ import annotations

from truestep.fast.peers.finding import Finding

_WRAPS = """\
import os
os.environ["KERAS_BACKEND"] = "torch"
import keras
v = keras.Variable(keras.ops.ones(1))
optimizer = keras.optimizers.SGD()
optimizer.build([v])
optimizer.iterations.assign(2**31 - 1)
optimizer.apply([keras.ops.ones(1)])
print(int(optimizer.iterations.value))
"""

KERAS_FINDINGS: tuple[Finding, ...] = (
    Finding(
        library="keras",
        versions="3.15.1",
        rule="",
        title="The counter of 32 bits turns negative after 2^31 - 1 steps",
        contradicts="iterations is the number of steps made",
        reproducer=_WRAPS,
        expected="2147483648",
        actual="-2147483648",
        check_glob="optimizer/*/float32/*/counter_beyond_float32",
    ),
)
