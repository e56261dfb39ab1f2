"""A rule as a task of a published collection: its files, by name."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import jinja2
import numpy as np

from truestep.fast.wrapped import trials
from truestep.fast.wrapped.submissions.asked import Asked
from truestep.reference.advance import advanced
from truestep.reference.declared import Hyper, fields_of
from truestep.reference.optimizers import OPTIMIZERS
from truestep.reference.rules import Optimizer
from truestep.reports.export import torch_lines
from truestep.reports.export.torch_lines import Lines, NotWritable

# Sizes, steps and seeds of the inputs that a check is made on.
CASES = ((1000, 1, 4242), (1023, 2, 5236), (65536, 100, 1001))
# Of what the lines in torch may differ from the reference's, in float64: by their rounding.
_AGREES = 1e-9


def files(asked: Asked, collection: str) -> dict[str, str]:
    """The files of a task by name; raises NotWritable where the rule cannot be one."""
    rule = OPTIMIZERS[asked.rule]
    hyper = rule.Hyper(**asked.dialect, **asked.hyper)
    lines = torch_lines.written(rule, hyper)
    _require_agreement(rule, hyper, lines)
    return _WRITERS[collection](asked, rule, lines)


def _gpumode(asked: Asked, rule: Optimizer, lines: Lines) -> dict[str, str]:
    return {
        name: _rendered(f"gpumode/{name}", asked, rule, lines)
        for name in ("task.yml", "task.py", "reference.py", "submission.py")
    }


def _kernelbench(asked: Asked, rule: Optimizer, lines: Lines) -> dict[str, str]:
    return {
        name: _rendered(f"kernelbench/{name}", asked, rule, lines)
        for name in ("reference.py", "solution.py", "check.py")
    }


def _flashinfer(asked: Asked, rule: Optimizer, lines: Lines) -> dict[str, str]:
    run = f"{lines.source}\n\ndef run({', '.join(lines.arguments)}):\n    return one_step("
    source = f"{run}{', '.join(lines.arguments)})\n"
    shape = ["rows", "columns"] if rule.FACTS.matrices else ["n"]
    tensor = {"shape": shape, "dtype": "float32"}
    shapes = {name: _shaped(rule, name, tensor) for name in lines.state}
    name = f"{asked.rule}_step"
    definition = {
        "name": name,
        "op_type": "optimizer",
        "description": f"One step of {_title(asked)}; step is the number of this one, from 1 on.",
        "tags": [f"truestep:{asked.text}"],
        "axes": {axis: {"type": "var"} for axis in shape},
        "inputs": {
            **dict.fromkeys(("p", "g", *lines.inputs), tensor), **shapes,
            "step": {"shape": None, "dtype": "int64"},
            **{x: {"shape": None, "dtype": "float32"} for x in lines.numbers},
        },
        "outputs": {f"new_{x}": y for x, y in {"p": tensor, **shapes}.items()},
        "reference": source,
    }  # fmt: skip
    solution = {
        "name": f"{name}_torch",
        "definition": name,
        "author": "truestep",
        "spec": {
            "language": "python",
            "target_hardware": ["cpu", "cuda"],
            "entry_point": "main.py::run",
            "dependencies": ["torch"],
            "destination_passing_style": False,
        },
        "sources": [{"path": "main.py", "content": source}],
    }
    return {
        "definition.json": json.dumps(definition, indent=2) + "\n",
        "solution.json": json.dumps(solution, indent=2) + "\n",
        "workloads.jsonl": "".join(_workload(name, shape, lines, case) for case in CASES),
        "check.py": _rendered("flashinfer/check.py", asked, rule, lines),
    }


def _workload(name: str, shape: list[str], lines: Lines, case: tuple[int, int, int]) -> str:
    size, step, seed = case
    scalars = {"step": step, **lines.numbers}
    tensors = [x for x in lines.arguments if x not in scalars]
    told = {
        "uuid": f"{name}-{size}-{step}-{seed}",
        "axes": dict.fromkeys(shape, size),
        "inputs": {
            **{x: {"type": "random"} for x in tensors},
            **{x: {"type": "scalar", "value": value} for x, value in scalars.items()},
        },
    }
    record = {"definition": name, "workload": told, "solution": None, "evaluation": None}
    return json.dumps(record) + "\n"


def _shaped(rule: Optimizer, name: str, tensor: Mapping[str, object]) -> Mapping[str, object]:
    """How a tensor of the state is declared: like p, or one number; raises NotWritable."""
    p = np.zeros(trials.MATRIX if rule.FACTS.matrices else trials.VECTOR)
    shape = np.shape(getattr(rule.init(rule.Hyper(), p), name))
    if shape == p.shape:
        return tensor
    if shape:
        raise NotWritable(f"its {name} has a shape of its own, {shape} of {p.shape}")
    return {"shape": [], "dtype": "float32"}


_WRITERS: Mapping[str, Callable[[Asked, Optimizer, Lines], dict[str, str]]] = {
    "flashinfer": _flashinfer,
    "gpumode": _gpumode,
    "kernelbench": _kernelbench,
}
COLLECTIONS = tuple(_WRITERS)


def _title(asked: Asked) -> str:
    form = [f"{name} {value}" for name, value in sorted(asked.dialect.items())]
    return ", ".join([asked.rule, *form])


def _rendered(template: str, asked: Asked, rule: Optimizer, lines: Lines) -> str:
    given = lines.arguments[: -len(lines.numbers)] if lines.numbers else lines.arguments
    switches = {name: x for name, x in asked.hyper.items() if name not in lines.numbers}
    text = _templates().get_template(f"{template}.jinja").render(
        title=_title(asked), rule=asked.rule, dialect=repr({**asked.dialect, **switches}),
        inputs=repr(list(lines.inputs)), state=repr(list(lines.state)),
        numbers=repr(dict(lines.numbers)), names=list(lines.numbers), cases=repr(CASES),
        lines=lines.body, imports="import math\n\n" if "math." in lines.body else "",
        arguments=repr(lines.arguments), given=given, tensors=given[:-1],
        after=["p", *lines.state], values=repr(list(lines.numbers.values())),
        defaults=", ".join(f"{name}={value!r}" for name, value in lines.numbers.items()),
        shape="(max(1, size // 64), 64)" if rule.FACTS.matrices else "(size,)",
    )  # fmt: skip
    return text.rstrip("\n") + "\n"


@cache
def _templates() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parents[1] / "templates" / "tasks"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # programs, not pages
        keep_trailing_newline=True,
    )


def _require_agreement(rule: Optimizer, hyper: Hyper, lines: Lines) -> None:
    """Raise NotWritable unless the lines in torch compute what the reference's do, in float64."""
    import torch

    names: dict[str, Callable[..., tuple[torch.Tensor, ...]]] = {}
    alive = {name: x for name, x in trials.alive(rule).items() if name in lines.numbers}
    shape = trials.MATRIX if rule.FACTS.matrices else trials.VECTOR
    p, gradients = trials.drawn(shape, seed=5)
    rng = np.random.default_rng(6)
    others = {name: rng.normal(size=of(shape)) for name, of in rule.FACTS.inputs.items()}
    try:
        h = rule.Hyper(**{**fields_of(hyper), **alive})
        # As a module of its own, which has no postponed annotations.
        exec(compile(lines.source, "one_step", "exec", dont_inherit=True), names)
        s = rule.init(h, p)
        for step, g in enumerate(gradients, 1):
            before = [p, g, *others.values(), *(getattr(s, name) for name in lines.state)]
            got = names["one_step"](
                *[torch.tensor(x) for x in before], step, *[alive[name] for name in lines.numbers]
            )
            s, p = advanced(rule, h, s, p, g, others)
            for x, due in zip(got, (p, *(getattr(s, n) for n in lines.state)), strict=True):
                if not np.allclose(x.numpy(), due, rtol=_AGREES, atol=_AGREES, equal_nan=True):
                    raise NotWritable("its lines mean something else in torch")
    except NotWritable:
        raise
    except Exception as error:  # of generated lines, whatever it is
        raise NotWritable(f"its lines do not run in torch: {error}") from error
