"""Faults that kernels really had, planted in the reference's own lines: what checks must catch."""

from truestep.properties.museum.fault import Fault
from truestep.properties.museum.faults.adam_like import ADAM_LIKE
from truestep.properties.museum.faults.adamw import ADAMW
from truestep.properties.museum.faults.adamw_numbers import ADAMW_NUMBERS
from truestep.properties.museum.faults.adaptive import ADAPTIVE
from truestep.properties.museum.faults.angles import ANGLES
from truestep.properties.museum.faults.averages import AVERAGES
from truestep.properties.museum.faults.beside import BESIDE
from truestep.properties.museum.faults.blocks import BLOCKS
from truestep.properties.museum.faults.corrected import CORRECTED
from truestep.properties.museum.faults.curvature import CURVATURE
from truestep.properties.museum.faults.distances import DISTANCES
from truestep.properties.museum.faults.draws import DRAWS
from truestep.properties.museum.faults.extents import EXTENTS
from truestep.properties.museum.faults.families import FAMILIES
from truestep.properties.museum.faults.feedback import FEEDBACK
from truestep.properties.museum.faults.hypergradients import HYPERGRADIENTS
from truestep.properties.museum.faults.launches import LAUNCHES
from truestep.properties.museum.faults.magnitudes import MAGNITUDES
from truestep.properties.museum.faults.matrices import MATRICES
from truestep.properties.museum.faults.measured import MEASURED
from truestep.properties.museum.faults.momentum import MOMENTUM
from truestep.properties.museum.faults.noisy import NOISY
from truestep.properties.museum.faults.orders import ORDERS
from truestep.properties.museum.faults.orthogonal import ORTHOGONAL
from truestep.properties.museum.faults.packings import PACKINGS
from truestep.properties.museum.faults.pairs import PAIRS
from truestep.properties.museum.faults.parameter_free import PARAMETER_FREE
from truestep.properties.museum.faults.quantizers import QUANTIZERS
from truestep.properties.museum.faults.regularized import REGULARIZED
from truestep.properties.museum.faults.schedules import SCHEDULES
from truestep.properties.museum.faults.signals import SIGNALS
from truestep.properties.museum.faults.slow import SLOW_POINTS
from truestep.properties.museum.faults.small_floats import SMALL_FLOATS
from truestep.properties.museum.faults.splits import SPLITS
from truestep.properties.museum.faults.steered import STEERED
from truestep.properties.museum.faults.tempered import TEMPERED
from truestep.properties.museum.faults.training import TRAINING
from truestep.properties.museum.faults.values import VALUES
from truestep.properties.museum.faults.warmups import WARMUPS

_ADAM = ADAM_LIKE | ADAMW | ADAMW_NUMBERS | ADAPTIVE | ANGLES | AVERAGES | CURVATURE
_MOMENTA = CORRECTED | HYPERGRADIENTS | MOMENTUM | NOISY | REGULARIZED | SLOW_POINTS | STEERED
_MATRICES = MATRICES | ORTHOGONAL
_FREE = DISTANCES | MAGNITUDES | MEASURED | PARAMETER_FREE | SIGNALS
_OPTIMIZERS = _ADAM | _FREE | LAUNCHES | _MATRICES | _MOMENTA | PAIRS | TEMPERED | VALUES
_STORED = DRAWS | EXTENTS | SPLITS
_FORMATS = BESIDE | BLOCKS | FAMILIES | PACKINGS | QUANTIZERS | SMALL_FLOATS
_AROUND = FEEDBACK | ORDERS | SCHEDULES | TRAINING | WARMUPS
_UNSORTED: dict[str, Fault] = _OPTIMIZERS | _STORED | _FORMATS | _AROUND
FAULTS = dict(sorted(_UNSORTED.items()))
