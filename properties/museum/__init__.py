"""Faults that kernels really had, planted in correct ones: what the checks must catch."""

from __future__ import annotations

from truestep.properties.museum.averaging_faults import AVERAGING
from truestep.properties.museum.cast_faults import CASTS, CastFault
from truestep.properties.museum.counter_faults import COUNTER, PRECISION, SPECIAL
from truestep.properties.museum.curvature_faults import CURVATURE
from truestep.properties.museum.example_faults import EXAMPLE
from truestep.properties.museum.fault import Fault
from truestep.properties.museum.launch_faults import LAUNCH
from truestep.properties.museum.line_faults import DECAY, EPS, MOMENTS
from truestep.properties.museum.matrix_faults import MATRIX
from truestep.properties.museum.memory_faults import PAIRS
from truestep.properties.museum.minimizer_faults import MINIMIZER
from truestep.properties.museum.norm_faults import NORM, SIGN
from truestep.properties.museum.quantizer_faults import QUANTIZER, QuantizerFault
from truestep.properties.museum.schedule_faults import SCHEDULE, ScheduleFault
from truestep.properties.museum.soap_faults import SOAP
from truestep.properties.museum.tensor_faults import GROUPS, MEMORY, MOMENTUM, TAIL
from truestep.properties.museum.training_faults import TRAINING
from truestep.properties.museum.training_kernels import TrainingFault

_UNSORTED: dict[str, Fault | CastFault | QuantizerFault | ScheduleFault | TrainingFault] = {
    **AVERAGING,
    **CASTS,
    **COUNTER,
    **CURVATURE,
    **DECAY,
    **EPS,
    **EXAMPLE,
    **GROUPS,
    **LAUNCH,
    **MATRIX,
    **MEMORY,
    **MINIMIZER,
    **MOMENTS,
    **MOMENTUM,
    **NORM,
    **PAIRS,
    **PRECISION,
    **QUANTIZER,
    **SCHEDULE,
    **SIGN,
    **SOAP,
    **SPECIAL,
    **TAIL,
    **TRAINING,
}
FAULTS = dict(sorted(_UNSORTED.items()))
