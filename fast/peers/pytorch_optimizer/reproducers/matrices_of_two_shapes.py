"""DistributedMuon on two matrices of different shapes, over two ranks."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

RANK = """
import os, sys
import torch
from pytorch_optimizer import DistributedMuon
from torch import distributed

store = distributed.FileStore(sys.argv[1], 2)
distributed.init_process_group("gloo", store=store, rank=int(sys.argv[2]), world_size=2)
weights = [torch.nn.Parameter(torch.ones(shape)) for shape in ((2, 3), (4, 4))]
for weight in weights:
    weight.grad = torch.ones(weight.shape)
try:
    DistributedMuon([{"params": weights, "use_muon": True}]).step()
    print("stepped", flush=True)
except RuntimeError:
    print("RuntimeError", flush=True)
# At its end the group would wait for the other rank.
os._exit(0)
"""

with tempfile.TemporaryDirectory() as folder:
    store = str(Path(folder) / "store")
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", RANK, store, str(rank)],
            env={"GLOO_SOCKET_IFNAME": "lo", **os.environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for rank in range(2)
    ]
    first, _ = (rank.communicate()[0] for rank in ranks)
print(first, end="")
