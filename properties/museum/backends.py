"""Backends by name of fault or rule: ``truestep.properties.museum.backends:NAME``."""

from truestep.properties.museum import FAULTS
from truestep.properties.museum.plant import Kernel
from truestep.properties.museum.power import kernels


def __getattr__(name: str) -> Kernel:
    if name in FAULTS:
        return FAULTS[name].backend()
    for kernel in kernels(name):
        return kernel
    raise AttributeError(f"the museum has no {name!r}")
