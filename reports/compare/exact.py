"""The exact axes: what is counted on the references, without running anything on data."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from truestep.properties.costs.complexity import Complexity, complexity
from truestep.properties.costs.costs import SHAPE, Costs, costs
from truestep.reports.compare.subjects import Subject

BLOCK_SIZE = 256
# Ways to keep a state besides float32, as the kernels have them.
STORAGES = {
    "bfloat16": ("bfloat16", {}),
    "8 bits": ("dynamic_8bit", {"block_size": BLOCK_SIZE}),
    "4 bits": ("nf4", {}),
}


@dataclass(frozen=True, slots=True)
class Exact:
    """costs and complexity of a rule; bytes: of state for each parameter, by how it is kept."""

    costs: Costs
    complexity: Complexity
    bytes: dict[str, float]

    def to_json(self) -> dict[str, object]:
        """With the totals that a page shows."""
        return {
            "shape": list(SHAPE),
            "state_numbers": self.costs.state_numbers,
            "state_bytes": self.bytes,
            "operations": dict(self.costs.operations),
            "read": dict(self.costs.read),
            "written": dict(self.costs.written),
            "bytes_moved": self.costs.moved(),
            **asdict(self.complexity),
        }


def exact(subject: Subject) -> Exact:
    """The exact axes of a rule in the form that is compared."""
    found = costs(subject.rule, subject.hyper)
    kept = {
        name: found.state_bytes(found.coded(quantizer, **hyper))
        for name, (quantizer, hyper) in STORAGES.items()
    }
    return Exact(found, complexity(subject.rule), {"float32": found.state_bytes(), **kept})
