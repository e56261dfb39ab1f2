"""A loss of zero, scaled once the scale has grown beyond float32."""

import torch
from pytorch_optimizer import DynamicLossScaler

scaler = DynamicLossScaler(2.0**127, scale_window=1)
scaler.update_scale(False)
print((torch.zeros(1) * scaler.loss_scale).item())
