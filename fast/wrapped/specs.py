"""What the command line is given to wrap: "torch:package.module:Name@rule", or of a file.

The rule may be left out, and is found then.
"""

from dataclasses import dataclass

# What can be wrapped, by how the spec begins: the library that it takes, and our module for it.
WRAPS = {
    "callable": ("numpy", "functions"),
    "optax": ("optax", "transformations"),
    "submission": ("torch", "submissions.backend"),
    "torch": ("torch", "torch_backend"),
}


# Those that are wrapped as a path, and say after "@" all that they are judged as.
OF_PATHS = ("submission",)


@dataclass(frozen=True, slots=True)
class Spec:
    """kind: of WRAPS. target: "package.module:Name" or "file.py:Name". rule: "" if not given."""

    kind: str
    target: str
    rule: str = ""


def parsed(spec: str) -> Spec | None:
    """What a spec asks to wrap; None where it names a backend."""
    kind, _, rest = spec.partition(":")
    target, _, rule = rest.rpartition("@") if "@" in rest else (rest, "", "")
    named = kind in OF_PATHS or (kind in WRAPS and ":" in target)
    return Spec(kind, target, rule) if named else None


def judged_as(spec: str, rule: str) -> str:
    """The spec with this rule; raises ValueError where it names a backend."""
    asked = parsed(spec)
    if asked is None:
        kinds = ", ".join(
            f"{kind}:{'PATH' if kind in OF_PATHS else 'package.module:Name'}" for kind in WRAPS
        )
        raise ValueError(f"--as {rule} is of what is wrapped ({kinds}), not of {spec!r}")
    return f"{asked.kind}:{asked.target}@{rule}"
