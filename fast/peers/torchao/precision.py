"""Which tensors torchao's AdamW8bit and AdamW4bit keep codes of: by the state that it would make.

The least size is the library's own. Elsewhere the state has the parameter's format, here float32.
"""

import torch
from torchao.optim import AdamW4bit, AdamW8bit

from truestep.fast.protocol import Inputs, Outputs, TrainingCapability
from truestep.reference.declared import Hyper

_MADE = {8: AdamW8bit, 4: AdamW4bit}


def capability() -> TrainingCapability:
    """Both optimizers'; embeddings are tensors like any other."""
    return TrainingCapability(
        rule="state_precision",
        dialect={"embeddings": "as_others", "whole": "blocks"},
        fixed={"min_size": 4096},
    )


def outputs(hyper: Hyper, inputs: Inputs) -> Outputs:
    """The bits of the first moment's elements: a tensor of the library's own has codes."""
    parameter = torch.zeros(inputs["size"])
    optimizer = _MADE[hyper.bits]([parameter], block_size=hyper.block_size)
    made = optimizer._new_buffer(parameter, True)
    return {"bits_of": 32 if type(made) is torch.Tensor else hyper.bits}
