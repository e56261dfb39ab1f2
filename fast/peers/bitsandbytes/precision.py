"""Which tensors bitsandbytes' Adam8bit keeps in 32 bits: after one step, by the state it has made.

Embeddings are the weights of StableEmbedding, which has the process's one manager of optimizers
keep them in full precision; what earlier layers have told that manager is forgotten each time.
"""

import bitsandbytes
import torch
from bitsandbytes.optim import Adam8bit, GlobalOptimManager

from truestep.fast.protocol import Inputs, Outputs, TrainingCapability
from truestep.reference.declared import Hyper


def capability() -> TrainingCapability:
    """Adam8bit's; the other optimizers' state is made by the same lines."""
    return TrainingCapability(
        rule="state_precision", dialect={"embeddings": "full", "whole": "any"}, fixed={"bits": 8}
    )


def outputs(hyper: Hyper, inputs: Inputs) -> Outputs:
    """The bits of the first moment's elements."""
    GlobalOptimManager.get_instance().initialize()
    size = inputs["size"]
    if inputs["module"] == "embedding":
        # Of no entries it would be initialised by a quotient by zero.
        start = torch.zeros(size, 1)
        parameter = bitsandbytes.nn.StableEmbedding(size, 1, _weight=start).weight
    else:
        parameter = torch.nn.Parameter(torch.zeros(size))
    parameter.grad = torch.zeros_like(parameter)
    optimizer = Adam8bit([parameter], min_8bit_size=hyper.min_size)
    optimizer.step()
    kept = optimizer.state[parameter]["state1"].dtype
    return {"bits_of": torch.finfo(kept).bits if kept.is_floating_point else torch.iinfo(kept).bits}
