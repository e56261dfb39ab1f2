"""What is told of a failure: lines of its message, and what the certificate keeps of it."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Account:
    """pattern: which tensors err, and where. departs: the first line whose value the kernel's own
    outputs do not explain, or the few that it is among. program: a stand-alone one. "" where a kind
    has none.
    """

    pattern: str = ""
    departs: str = ""
    program: str = ""

    @property
    def remarks(self) -> Sequence[str]:
        """Lines of the message."""
        return [line for line in (self.pattern, self.departs) if line]

    @property
    def extra(self) -> dict[str, object]:
        """What the certificate keeps."""
        told = {"pattern": self.pattern, "departs": self.departs, "program": self.program}
        return {name: text for name, text in told.items() if text}
