"""Tells LOMO's loss scaler of an overflow."""

from lomo_optim.lomo import DynamicLossScaler

scaler = DynamicLossScaler()
try:
    scaler.update_scale(True)
    print(scaler.loss_scale)
except ValueError as error:
    print(error)
