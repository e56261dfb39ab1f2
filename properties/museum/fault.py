"""A planted fault: data, from which its backend is made."""

from collections.abc import Mapping
from dataclasses import dataclass

from truestep.properties.museum.kept import Noise, fresh
from truestep.properties.museum.plant import Edit, Kernel, StaleEdit, StepGroups, StepSlot
from truestep.reference.tables import RULES

# By kind of rule, the check expected to catch a fault that names none.
USUAL = {
    "minimizer": "early_steps",
    "optimizer": "lockstep",
    "quantizer": "random",
    "schedule": "values",
    "training": "values",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """A small mutation of a rule's lines, or of how a kernel of these lines is called.

    kind: class of the fault. about: what is wrong [where such a fault was found]. edits, slot,
    groups, declared: those of `Kernel`. check: the check expected to catch it, which is run first.
    computes: the dialect or rule that it must be identified as, "" where it is none.
    """

    rule: str
    kind: str
    about: str
    edits: tuple[Edit, ...]
    check: str
    computes: str
    slot: StepSlot | None
    groups: StepGroups | None
    noise: Noise
    declared: Mapping[str, object]

    @property
    def description(self) -> str:
        """What is wrong."""
        return self.about.rpartition(" [")[0]

    @property
    def source(self) -> str:
        """Where such a fault was found."""
        return self.about.rpartition(" [")[2].removesuffix("]")

    def backend(self) -> Kernel:
        """A backend that computes with the fault."""
        try:
            return Kernel(
                self.rule, self.edits, slot=self.slot, groups=self.groups, noise=self.noise,
                **self.declared,
            )  # fmt: skip
        except StaleEdit as stale:
            raise StaleEdit(f"{self.rule}, {self.about}: {stale}") from None

    def without(self) -> Kernel:
        """The correct kernel that the fault is planted in."""
        return Kernel(self.rule, (), slot=None, groups=None, noise=fresh, **self.declared)


def fault(
    rule: str,
    kind: str,
    about: str,
    *edits: Edit,
    check: str = "",
    computes: str = "",
    slot: StepSlot | None = None,
    groups: StepGroups | None = None,
    noise: Noise = fresh,
    **declared: object,
) -> Fault:
    """A fault by its text; tables take it with rule, kind and declarations already given."""
    check = check or next(USUAL[of] for of, table in RULES.items() if rule in table)
    return Fault(rule, kind, about, edits, check, computes, slot, groups, noise, declared)
