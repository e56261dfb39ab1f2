"""NumPy's functions as torch has them, for the lines of exported tasks."""

from collections.abc import Container

# NumPy's functions in the references' lines, on tensors and on Python's numbers.
FUNCTIONS = {
    "abs": "def absolute(x):\n    return abs(x)",
    "arctan": "def arctan(x):\n    return torch.arctan(x) if torch.is_tensor(x) else math.atan(x)",
    "clip": "def clip(x, low, high):\n    return minimum(maximum(x, low), high)",
    "concatenate": "def concatenate(parts):\n    return torch.cat(list(parts))",
    "cos": "def cos(x):\n    return torch.cos(x) if torch.is_tensor(x) else math.cos(x)",
    "exp": "def exp(x):\n    return torch.exp(x) if torch.is_tensor(x) else math.exp(x)",
    "isfinite": "def isfinite(x):\n    return torch.isfinite(torch.as_tensor(x))",
    "isnan": "def isnan(x):\n    return torch.isnan(torch.as_tensor(x))",
    "log": "def log(x):\n    return torch.log(x) if torch.is_tensor(x) else math.log(x)",
    "max": (
        "def largest(x, axis=None, keepdims=False):\n"
        "    return torch.max(x) if axis is None else torch.amax(x, axis, keepdims)"
    ),
    "maximum": "def maximum(x, y):\n    return torch.maximum(*tensors(x, y))",
    "mean": (
        "def mean(x, axis=None, keepdims=False):\n"
        "    return torch.mean(x) if axis is None else torch.mean(x, axis, keepdims)"
    ),
    "minimum": "def minimum(x, y):\n    return torch.minimum(*tensors(x, y))",
    "ones_like": "def ones_like(x):\n    return torch.ones_like(x)",
    "prod": "def prod(x):\n    return math.prod(x)",
    "sign": "def sign(x):\n    return torch.where(torch.isnan(x), x, torch.sign(x))",
    "sqrt": "def sqrt(x):\n    return torch.sqrt(x) if torch.is_tensor(x) else math.sqrt(x)",
    "square": "def square(x):\n    return x * x",
    "sum": (
        "def total(x, axis=None, keepdims=False):\n"
        "    return torch.sum(x) if axis is None else torch.sum(x, axis, keepdims)"
    ),
    "where": (
        "def where(condition, x, y):\n    if not torch.is_tensor(condition):\n"
        "        return x if condition else y\n    return torch.where(condition, x, y)"
    ),
    "zeros_like": "def zeros_like(x):\n    return torch.zeros_like(x)",
}
# Names that Python has itself, and numbers that its module math has.
RENAMED = {"abs": "absolute", "max": "largest", "sum": "total"}
CONSTANTS = ("inf", "pi")
_TENSORS = (
    "def tensors(*values):\n"
    "    like = next(filter(torch.is_tensor, values), torch.zeros((), dtype=torch.float64))\n"
    "    return [torch.as_tensor(x, dtype=like.dtype, device=like.device) for x in values]"
)
_NEEDED = {"clip": ("maximum", "minimum")}


def prelude(used: Container[str]) -> list[str]:
    """The definitions of those that are used, and of what they need."""
    names = {name for name in FUNCTIONS if name in used}
    names |= {other for name in names for other in _NEEDED.get(name, ())}
    shared = [_TENSORS] if names & {"maximum", "minimum"} else []
    return [*shared, *(FUNCTIONS[name] for name in sorted(names))]
