"""The largest element of a gradient that is nan where the second of two ranks has it."""

import subprocess
import sys

import torch
from torch import distributed
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Shard, distribute_tensor

# The second rank is this program with the first one's port.
rank, port = (1, int(sys.argv[1])) if len(sys.argv) > 1 else (0, 0)
store = distributed.TCPStore("127.0.0.1", port, is_master=rank == 0, wait_for_workers=False)
if rank == 0:
    second = subprocess.Popen([sys.executable, __file__, str(store.port)])
distributed.init_process_group("gloo", store=store, rank=rank, world_size=2)
mesh = init_device_mesh("cpu", (2,))
param = distribute_tensor(torch.zeros(2), mesh, [Shard(0)], src_data_rank=None)
gradient = torch.tensor([1.0, torch.nan])
param.grad = distribute_tensor(gradient, mesh, [Shard(0)], src_data_rank=None)
total = torch.nn.utils.clip_grad_norm_([param], 1.0, norm_type=torch.inf).full_tensor()
distributed.barrier()
distributed.destroy_process_group()
if rank == 0:
    second.wait()
    print(total.item())
