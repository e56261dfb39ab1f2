"""The families of a training piece's cases: what each varies, and how many examples it tries."""

from collections.abc import Mapping
from dataclasses import dataclass

from truestep.fast.protocol import Level, TrainingCapability
from truestep.properties.cases.tensors import EXTREMES
from truestep.properties.kinds.kind import examples
from truestep.properties.kinds.training.cases import Ranges
from truestep.reference.training import TRAINING


@dataclass(frozen=True, slots=True)
class Family:
    """A named family of cases: what it varies, how, and how many examples each level tries.

    inputs: of which at least one a piece must have for the family to say anything of it; () is any.
    """

    about: str
    ranges: Ranges
    examples: Mapping[Level, int]
    inputs: tuple[str, ...] = ()

    def speaks_of(self, capability: TrainingCapability) -> bool:
        """Whether the piece has what the family varies."""
        piece = TRAINING[capability.rule]
        if self.inputs == ("clipped",):
            return any(name in piece.Hyper.__dataclass_fields__ for name in _CLIPPING)
        return not self.inputs or any(name in piece.INPUTS for name in self.inputs)


_TENSORS = ("gradient", "gradients", "x")
_LISTS = ("gradients",)
_STATE = ("amax_history", "bad", "gnorm_vec", "moments", "g2", "totals", "weight", "then")
_CLIPPING = ("max_norm", "max_value", "clipping")
_SMALL = ((3,), (2, 3), (), (9,))
# Two more tensors than one launch knows at most in PyTorch's and apex's multi_tensor_apply.
_LAUNCH = 112
_MANY = (*((n,) for n in range(1, 20)), (0,), (), (3, 5))

FAMILIES: dict[str, Family] = {
    "all_zero": Family(
        "zero gradients",
        Ranges(kinds=("zeros",), specials=("zero",)),
        examples(2, 6, 100),
        _TENSORS,
    ),
    "at_the_threshold": Family(
        "a norm or a size that every kernel gets exactly, the limit at it, above it and below it",
        Ranges(exact=True),
        examples(6, 24, 1000),
        # Of the clipping pieces only; the others have no limit for a gradient.
        ("clipped",),
    ),
    "full_range": Family(
        "random bit patterns, and huge and tiny scales",
        Ranges(kinds=("normal", "bits"), exponents=(-38, 36), shapes=((33,), (4, 8), (5,))),
        examples(5, 9, 300),
        _TENSORS,
    ),
    "large": Family(
        "tensors beyond the sizes where kernels go parallel",
        Ranges(
            shapes=((2**15 + 3,), (2**16 - 1,), (257, 129)),
            kinds=("normal", "spread"),
            tensors=(1, 2),
        ),
        examples(1, 3, 30),
        _TENSORS,
    ),
    "many_tensors": Family(
        "more tensors than one launch takes, empty ones among them",
        Ranges(shapes=_MANY, kinds=("normal",), tensors=(_LAUNCH, _LAUNCH + 2)),
        examples(1, 2, 10),
        _LISTS,
    ),
    "sequence": Family(
        "several calls one after the other, nan and infinities in some of them",
        Ranges(shapes=_SMALL, calls=(2, 6), overflows=True),
        examples(6, 12, 1000),
        _STATE,
    ),
    "special_values": Family(
        "nan, infinities, the largest and the least numbers",
        Ranges(shapes=((9,), (17,), (4, 5)), specials=EXTREMES, overflows=True),
        examples(3, 10, 300),
        _TENSORS,
    ),
    "values": Family(
        "shapes, layouts, scales and hyperparameters drawn independently of one another",
        Ranges(),
        examples(10, 15, 2000),
    ),
}
