"""Synchronous data parallelism in torch: DistributedDataParallel over gloo, one thread a worker.

Each worker is a rank with a process group of its own, and they talk over the loopback interface as
processes do; that they share a process changes nothing of what gloo computes.
"""

import datetime as dt
import functools
import resource
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch
from torch import distributed

from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.protocol import BackendUnavailable, Inputs, Outputs
from truestep.reference.declared import Hyper

T = TypeVar("T")
# What a worker waits for the others; a group of 70 is built in a second.
PATIENCE = dt.timedelta(seconds=30)
# Open files of a process besides those of gloo.
FILES = 512


def available() -> bool:
    """Whether this torch was built with gloo."""
    return bool(distributed.is_available() and distributed.is_gloo_available())


def averaged(hyper: Hyper, inputs: Inputs) -> Outputs:
    """Each worker's gradient after a backward pass of its own loss."""
    # In the layout that autograd gives to gradients of contiguous parameters.
    gradients = [
        to_tensor(g).clone(memory_format=torch.contiguous_format) for g in inputs["gradients"]
    ]
    groups = _groups(len(gradients))

    def worker(group: distributed.ProcessGroup, gradient: torch.Tensor) -> torch.Tensor:
        model = torch.nn.Module()
        model.weight = torch.nn.Parameter(torch.zeros_like(gradient))
        # The loss whose gradient this is.
        model.forward = lambda g: (model.weight * g).sum()
        # Held until the backward pass is over: its hooks go with it. The parameters are all zero,
        # and alike without being sent around.
        parallel = torch.nn.parallel.DistributedDataParallel(
            model, process_group=group, init_sync=False
        )
        parallel(gradient).backward()
        return model.weight.grad

    try:
        averages = _at_once(worker, groups, gradients)
    except Exception:
        # A connection that one of them has given up is of no further use.
        _groups.cache_clear()
        raise
    return {"averaged": [from_tensor(x) for x in averages]}


def _at_once(call: Callable[..., T], *arguments: Sequence[object]) -> list[T]:
    with ThreadPoolExecutor(len(arguments[0])) as threads:
        return list(threads.map(call, *arguments))


@functools.cache
def _groups(size: int) -> list[distributed.ProcessGroup]:
    """A process group for each of the workers, all in one."""
    # Everyone is connected with everyone, and listens.
    _allow_files(FILES + size * (size + 4))
    store = distributed.HashStore()
    gloo = distributed.ProcessGroup.BackendType.GLOO

    def joined(rank: int) -> distributed.ProcessGroup:
        options = distributed.ProcessGroupGloo._Options()
        device = distributed.ProcessGroupGloo.create_device(hostname="127.0.0.1")
        options._devices, options._timeout = [device], PATIENCE
        backend = distributed.ProcessGroupGloo(store, rank, size, options)
        group = distributed.ProcessGroup(distributed.HashStore(), rank, size)
        group._register_backend(torch.device("cpu"), gloo, backend)
        group._set_default_backend(gloo)
        return group

    return _at_once(joined, range(size))


def _allow_files(wanted: int) -> None:
    """Raise the soft limit of open files, where it is lower: most systems begin with 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise BackendUnavailable(f"gloo needs {wanted} open files, and {hard} are allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
