"""A step of an optimizer of torch.optim on a module under FSDP2, on the first of two ranks."""

import sys

import torch
from torch import distributed
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.testing._internal.distributed.fake_pg import FakeStore

name, rows = sys.argv[1], int(sys.argv[2])
# A group whose messages go nowhere: whether a step can be made does not depend on the numbers.
distributed.init_process_group("fake", store=FakeStore(), rank=0, world_size=2)
model = torch.nn.Linear(4, rows, bias=False)
fully_shard(model, mesh=init_device_mesh("cpu", (2,)))
model(torch.ones(4)).sum().backward()
try:
    getattr(torch.optim, name)(model.parameters(), lr=0.1).step()
    print("stepped")
except RuntimeError:
    print("RuntimeError")
finally:
    distributed.destroy_process_group()
