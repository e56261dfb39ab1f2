"""Rules that multiply or decompose matrices, on the CPU: BLAS and LAPACK in float32 beside NumPy.

A rule is one module: DIALECTS, the dialects that it is offered in; ARITHMETIC, what it declares;
and step(h, t, p, g, state, **inputs), which gives the new p and those tensors of the state that it
makes anew. It writes none of its arguments.
"""

from collections.abc import Mapping
from types import ModuleType

from truestep.fast.ours.matrices import (
    adamuon,
    apollo,
    dion,
    distributed_shampoo,
    galore,
    kfac,
    muon,
    normuon,
    scion,
    shampoo,
    soap,
)

# A reader's table, by the reference's names.
MATRICES: Mapping[str, ModuleType] = {
    "adamuon": adamuon,
    "apollo": apollo,
    "dion": dion,
    "distributed_shampoo": distributed_shampoo,
    "galore": galore,
    "kfac": kfac,
    "muon": muon,
    "normuon": normuon,
    "scion": scion,
    "shampoo": shampoo,
    "soap": soap,
}
