"""The rate at the last step but one of the hundredth cycle, in millionths of the first rate."""

from truestep.fast.peers.keras.library import keras

schedule = keras.optimizers.schedules.PolynomialDecay(1.0, 1000, 0.0, cycle=True)
print(round(1e6 * float(schedule(99_999)), 2))
