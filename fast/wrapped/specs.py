"""What the command line is given to wrap: "torch:package.module:Name(momentum=0.9)@rule".

Or of a file, "torch:file.py:Name"; or with a dot before the name, "keras:keras.optimizers.Lion". Of
a C library its file and the function's declaration: "ctypes:lib.so:void step(float *p, ...)". The
arguments may be left out, and so may the rule, which is found then.
"""

import ast
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wrap:
    """How a kind of spec is wrapped.

    library: that it takes. module: of ours, whose `wrapped` makes the backend. first: of ours too,
    whose `looked_at(found, rule, options)` refuses what can be seen to be wrong before the rules
    are loaded; it is imported before what is wrapped, and may choose what the library runs on.
    """

    library: str
    module: str
    first: str = ""


# What can be wrapped, by how the spec begins.
WRAPS = {
    "callable": Wrap("numpy", "functions"),
    "ctypes": Wrap("numpy", "c_functions"),
    "keras": Wrap("keras", "keras_optimizers", "keras_classes"),
    "optax": Wrap("optax", "transformations"),
    "submission": Wrap("torch", "submissions.backend"),
    "torch": Wrap("torch", "torch_backend", "torch_classes"),
}


# Those that are wrapped as a path, and say after "@" all that they are judged as.
OF_PATHS = ("submission",)
# Those whose target is handed over as it is written.
UNNAMED = ("ctypes", *OF_PATHS)


@dataclass(frozen=True, slots=True)
class Spec:
    """kind: of WRAPS. target: "package.module:Name" or "file.py:Name". rule: "" if not given.

    given: arguments of what is wrapped, as they were written.
    """

    kind: str
    target: str
    rule: str = ""
    given: str = ""

    def options(self) -> dict[str, object]:
        """The arguments; raises ValueError where they are not keywords with literal values."""
        try:
            call = ast.parse(f"_({self.given})", mode="eval").body
            assert isinstance(call, ast.Call)
            if not call.args and all(each.arg for each in call.keywords):
                return {str(each.arg): ast.literal_eval(each.value) for each in call.keywords}
        except (SyntaxError, ValueError):
            pass
        raise ValueError(f"arguments must be as in (momentum=0.9, nesterov=True), got {self.given}")


def parsed(spec: str) -> Spec | None:
    """What a spec asks to wrap; None where it names a backend."""
    kind, _, rest = spec.partition(":")
    if kind not in WRAPS:
        return None
    target, _, rule = rest.rpartition("@") if "@" in rest else (rest, "", "")
    if kind in OF_PATHS:
        return Spec(kind, target, rule)
    if kind == "ctypes":
        return Spec(kind, target, rule) if ":" in target else None
    given = ""
    if target.endswith(")"):
        target, _, given = target.removesuffix(")").partition("(")
    if ":" not in target and not target.endswith(".py"):
        home, _, name = target.rpartition(".")
        target = f"{home}:{name}" if home else ""
    home, _, name = target.rpartition(":")
    return Spec(kind, target, rule, given) if home and name else None


def form(kind: str) -> str:
    """How a spec of this kind is written."""
    if kind in OF_PATHS:
        return f"{kind}:PATH@RULE"
    if kind in UNNAMED:
        return f"{kind}:library.so:'DECLARATION'"
    return f"{kind}:package.module:Name or {kind}:file.py:Name"


def judged_as(spec: str, rule: str) -> str:
    """The spec with this rule; raises ValueError where it names a backend."""
    asked = parsed(spec)
    if asked is None:
        kinds = ", ".join(form(kind).partition(" or ")[0] for kind in WRAPS)
        raise ValueError(f"--as {rule} is of what is wrapped ({kinds}), not of {spec!r}")
    given = f"({asked.given})" if asked.given else ""
    return f"{asked.kind}:{asked.target}{given}@{rule}"
