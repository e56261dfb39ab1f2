"""What the rows of pytorch-optimizer's tables share.

The counter belongs to the parameter group: only tensors of one count step together. The library is
handed the state before the first step too. Hyperparameters are arguments of the constructor, so
that every group has an optimizer of its own.
"""

from functools import partial

from truestep.fast.peers import torch_like
from truestep.fast.peers.torch_like import BETAS, LISTS, never

ALONE = {"single": LISTS["single"]}
BY_GROUP = {"t": "step"}
BETAS3 = {**BETAS, "beta3": "betas"}
WEIGHTS = {"r": "r", "weight_lr_power": "weight_lr_power", "warmup_steps": "warmup_steps"}
# torch.sign(nan) is 0.
NAN_SIGN = {"nan_sign": "zero"}
COUPLED = {"weight_decouple": False}
DECOUPLED = {"weight_decouple": True}

Row = partial(torch_like.Row, paths=LISTS, shared=BY_GROUP, apart=True, fresh=never)
