"""Gradients of several ranks: averaged by a backward pass, and clipped where they lie in parts.

Every rank has a loss whose gradient is its own. DistributedDataParallel divides each by the number
of ranks and adds them; FSDP2 adds them and divides the sum. Under no_sync a rank's gradient is
first added up of two micro-batches, of one that has every other element, and of one that has the
rest, so that the sum is exact. Hooks that compress are judged by gradients of the format that they
send.
"""

from collections.abc import Sequence

import torch
from torch import distributed
from torch.distributed.algorithms.ddp_comm_hooks import default_hooks
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.nn.parallel import DistributedDataParallel

from truestep.fast.peers.torch_sharded.ways import fully_sharded, like, mesh
from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.protocol import Array

# By the format that they send; over gloo torch refuses the hook of bfloat16.
HOOKS = {"float16": default_hooks.fp16_compress_hook}


def by_ddp(gradients: Sequence[Array], accumulated: bool, sent: str) -> Array:
    """What DistributedDataParallel makes of the ranks' gradients, on this rank.

    accumulated: in two micro-batches. sent: the format of a hook that compresses, or "".
    """
    own = _own(gradients)
    # The parameters are all zero, and alike without being sent around.
    model = _loss(own, torch.float32 if sent else own.dtype)
    parallel = DistributedDataParallel(model, init_sync=False)
    if sent:
        parallel.register_comm_hook(None, HOOKS[sent])
    if accumulated:
        first, own = _halves(own)
        with parallel.no_sync():
            parallel(first).backward()
    parallel(own).backward()
    return from_tensor(model.weight.grad.to(own.dtype))


def by_fully_shard(gradients: Sequence[Array], accumulated: bool) -> Array:
    """What FSDP2 makes of the ranks' gradients, put together of all parts."""
    own = torch.atleast_1d(_own(gradients))
    model = _loss(own, own.dtype)
    fully_shard(model, mesh=mesh())
    assert isinstance(model, FSDPModule)
    if accumulated:
        first, own = _halves(own)
        model.set_requires_gradient_sync(False)
        model(first).backward()
        model.set_requires_gradient_sync(True)
    model(own).backward()
    return from_tensor(model.weight.grad.full_tensor()).reshape(gradients[0].shape)


def clipped(gradients: Sequence[Array], max_norm: float) -> tuple[list[Array], float]:
    """Gradients of an FSDP2 module after clip_grad_norm_, and the norm that it tells."""
    whole = [torch.atleast_1d(to_tensor(g)) for g in gradients]
    params = fully_sharded([torch.zeros(g.shape, dtype=g.dtype) for g in whole])
    for param, g in zip(params, whole, strict=True):
        param.grad = like(param, g)
    total = torch.nn.utils.clip_grad_norm_(params, max_norm)
    found = [from_tensor(param.grad.full_tensor()) for param in params]
    shaped = [x.reshape(g.shape) for x, g in zip(found, gradients, strict=True)]
    return shaped, float(total.full_tensor())


def _loss(gradient: torch.Tensor, dtype: torch.dtype) -> torch.nn.Module:
    """The loss that has this gradient, or whatever else it is called with, where weights are 0."""
    model = torch.nn.Module()
    model.weight = torch.nn.Parameter(torch.zeros(gradient.shape, dtype=dtype))
    model.forward = lambda g: (model.weight * g).sum()
    return model


def _own(gradients: Sequence[Array]) -> torch.Tensor:
    # In the layout that autograd gives to gradients of contiguous parameters.
    own = to_tensor(gradients[distributed.get_rank()])
    return own.clone(memory_format=torch.contiguous_format)


def _halves(gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Every other element with zeros of their signs between them, and the rest."""
    zeros = torch.copysign(torch.zeros_like(gradient), gradient)
    even = (torch.arange(gradient.numel()) % 2 == 0).reshape(gradient.shape)
    return torch.where(even, gradient, zeros), torch.where(even, zeros, gradient)
