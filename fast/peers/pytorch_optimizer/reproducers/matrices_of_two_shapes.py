"""DistributedMuon on two matrices of different shapes, over two ranks."""

import os
import tempfile
from pathlib import Path

import torch
from pytorch_optimizer import DistributedMuon
from torch import distributed

os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
with tempfile.TemporaryDirectory() as folder:
    second = os.fork()
    store = distributed.FileStore(str(Path(folder) / "store"), 2)
    distributed.init_process_group("gloo", store=store, rank=int(second == 0), world_size=2)
    weights = [torch.nn.Parameter(torch.ones(shape)) for shape in ((2, 3), (4, 4))]
    for weight in weights:
        weight.grad = torch.ones(weight.shape)
    try:
        DistributedMuon([{"params": weights, "use_muon": True}]).step()
        told = "stepped"
    except RuntimeError:
        told = "RuntimeError"
    if second == 0:
        os._exit(0)
    os.waitpid(second, 0)
print(told, flush=True)
# What is left of the group would wait for the other rank.
os._exit(0)
