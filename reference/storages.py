"""What can keep a tensor of an optimizer as codes: quantizers, and splits in two parts."""

from truestep.reference.quantizers import QUANTIZERS
from truestep.reference.rules import Quantizer
from truestep.reference.splits import SPLITS

STORAGES: dict[str, Quantizer] = {
    **{name: rule for name, rule in QUANTIZERS.items() if getattr(rule, "STORES", False)},
    **SPLITS,
}
