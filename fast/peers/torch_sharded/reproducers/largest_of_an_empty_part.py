"""clip_grad_norm_ by the largest element on the second of two ranks, which has no part."""

import torch
from torch import distributed
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.testing._internal.distributed.fake_pg import FakeStore

# A group whose messages go nowhere: the error comes before any is sent.
distributed.init_process_group("fake", store=FakeStore(), rank=1, world_size=2)
model = torch.nn.Linear(4, 1, bias=False)
fully_shard(model, mesh=init_device_mesh("cpu", (2,)))
model(torch.ones(4)).sum().backward()
try:
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0, norm_type=torch.inf)
    print("clipped")
except RuntimeError:
    print("RuntimeError")
finally:
    distributed.destroy_process_group()
