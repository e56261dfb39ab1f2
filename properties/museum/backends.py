"""Backends by name of fault or rule: ``truestep.properties.museum.backends:NAME``."""

from __future__ import annotations

from truestep.properties.museum import FAULTS
from truestep.properties.museum.cast_faults import CastBackend
from truestep.properties.museum.fault import MuseumBackend
from truestep.properties.museum.kernels import KERNELS
from truestep.properties.museum.quantizer_faults import QuantizerBackend
from truestep.properties.museum.schedule_faults import ScheduleBackend
from truestep.properties.museum.training_kernels import TrainingBackend

Backend = CastBackend | MuseumBackend | QuantizerBackend | ScheduleBackend | TrainingBackend


def __getattr__(name: str) -> Backend:
    if name in FAULTS:
        return FAULTS[name].backend()
    if name in KERNELS:
        return MuseumBackend(name)
    raise AttributeError(f"the museum has no {name!r}")
