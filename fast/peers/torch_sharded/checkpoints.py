"""Steps from checkpoints of torch.distributed.checkpoint that another number of ranks has saved."""

import tempfile
from collections.abc import Sequence

import torch
from torch.distributed import checkpoint

from truestep.fast.peers.torch_like import Named
from truestep.fast.peers.torch_sharded.ranks import ranks
from truestep.fast.peers.torch_sharded.ways import FullyShard
from truestep.fast.protocol import Capability, Group, Stepped

# The ranks that save.
SAVING = 4


class _Saving(FullyShard):
    """Saves in the place of a step."""

    def __init__(self, folder: str) -> None:
        super().__init__()
        self._folder = folder

    def made(self, optimizer: torch.optim.Optimizer) -> None:
        """Parameters and states go into the folder."""
        checkpoint.save(_held(optimizer), checkpoint_id=self._folder)


class _Loading(_Saving):
    """Loads before the step, into parameters and states of ones."""

    def made(self, optimizer: torch.optim.Optimizer) -> None:
        """What other ranks have saved, and then the step."""
        held = _held(optimizer)
        for tensors in held.values():
            for tensor in tensors.values():
                tensor.fill_(1.0)
        checkpoint.load(held, checkpoint_id=self._folder)
        optimizer.step()


def _held(optimizer: torch.optim.Optimizer) -> dict[str, Named]:
    """All tensors of parameters and states by their places."""
    params = [param for entry in optimizer.param_groups for param in entry["params"]]
    return {
        "params": {str(i): param.detach() for i, param in enumerate(params)},
        "states": {
            f"{i}.{name}": x
            for i, param in enumerate(params)
            for name, x in optimizer.state.get(param, {}).items()
        },
    }


def _saved(folder: str, capability: Capability, groups: Sequence[Group]) -> None:
    _Saving(folder).optimizer_step(capability, groups)


def _loaded(folder: str, capability: Capability, groups: Sequence[Group]) -> list[list[Stepped]]:
    return _Loading(folder).optimizer_step(capability, groups)


def stepped(
    size: int, capability: Capability, groups: Sequence[Group]
) -> list[list[list[Stepped]]]:
    """What each of so many ranks has after a step from the checkpoint of the others."""
    with tempfile.TemporaryDirectory(prefix="truestep-") as folder:
        ranks(SAVING).call(_saved, folder, capability, groups)
        return ranks(size).call(_loaded, folder, capability, groups)
