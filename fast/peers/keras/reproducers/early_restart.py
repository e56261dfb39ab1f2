"""The rate at the last step of a cycle, in float32, of 1000 steps and of cycles twice as long."""

from truestep.fast.peers.keras.library import keras

schedule = keras.optimizers.schedules.CosineDecayRestarts(1.0, 1000, t_mul=2.0)
ends = [1000 * (2**i - 1) - 1 for i in range(1, 14)]
print([(t, round(float(schedule(t)), 2)) for t in ends if float(schedule(t)) > 0.5])
schedule = keras.optimizers.schedules.CosineDecayRestarts(1.0, 600, t_mul=90.0)
print(round(float(schedule(4914599)), 2))
