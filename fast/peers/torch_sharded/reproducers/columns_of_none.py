"""The parts that two ranks have of a parameter of two rows and no columns, by their shapes."""

import torch
from torch import distributed
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.testing._internal.distributed.fake_pg import FakeStore

# A group whose messages go nowhere: none is needed.
distributed.init_process_group("fake", store=FakeStore(), rank=0, world_size=2)
model = torch.nn.Module()
model.weight = torch.nn.Parameter(torch.zeros(2, 0))
fully_shard(model, mesh=init_device_mesh("cpu", (2,)))
print(tuple(model.weight.to_local().shape))
distributed.destroy_process_group()
