"""Optimizers of torch over TrueStep's CPU kernels, with states of 32, 16, 8 or 4 bits.

`from truestep.torch import AdamW` takes the arguments of torch.optim.AdamW and reads and writes its
state dicts; `state="8bit"` keeps a moment in 65 bytes for 64 elements. A class exists where
csrc/rules has a kernel of its rule: OPTIMIZERS holds those, by name.

Every name is loaded when it is first asked for: where torch is missing, the package is still there.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from truestep.torch.adafactor import Adafactor
    from truestep.torch.embedding import StableEmbedding
    from truestep.torch.muon import Muon
    from truestep.torch.optimizers import (
        LAMB,
        LARS,
        OPTIMIZERS,
        SGD,
        Adagrad,
        Adam,
        AdamW,
        AdEMAMix,
        Lion,
        RMSprop,
    )

    __all__ = [
        "LAMB",
        "LARS",
        "OPTIMIZERS",
        "SGD",
        "AdEMAMix",
        "Adafactor",
        "Adagrad",
        "Adam",
        "AdamW",
        "Lion",
        "Muon",
        "RMSprop",
        "StableEmbedding",
    ]
else:

    def __getattr__(name):
        """Load a public name, or the list of them, from its home (PEP 562)."""
        if name.startswith("_") and name != "__all__":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from truestep.torch.embedding import StableEmbedding
        from truestep.torch.optimizers import OPTIMIZERS

        public = {"OPTIMIZERS": OPTIMIZERS, "StableEmbedding": StableEmbedding, **OPTIMIZERS}
        if name == "__all__":
            return list(public)
        if name not in public:
            raise AttributeError(f"{__name__} has no {name}; there are: {', '.join(public)}")
        globals()[name] = public[name]
        return public[name]

    def __dir__():
        return sorted({*globals(), *__getattr__("__all__")})
