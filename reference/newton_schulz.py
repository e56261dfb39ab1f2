"""Newton-Schulz iterations of tensors as matrices, and their coefficients, a triple for every step.

X = a X + (b A + c A A) X with A = X X^T. Beyond the end of a list its last triple is repeated;
Emerging-Optimizers begins quintic and aol again there.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from truestep.reference.declared import Hyper
from truestep.reference.stages import stage
from truestep.reference.validation import Array

Triple: TypeAlias = tuple[float, float, float]

# N. Amsel et al., "The Polar Express", 2025 (arXiv:2505.16932), the list of
# the authors' code, whose triples but the last it makes safe by 1.01.
_POLAR_EXPRESS: tuple[Triple, ...] = (
    (8.28721201814563, -23.595886519098837, 17.300387312530933),
    (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
    (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
    (3.3184196573706015, -2.488488024314874, 0.51004894012372),
    (2.300652019954817, -1.6689039845747493, 0.4188073119525673),
    (1.891301407787398, -1.2679958271945868, 0.37680408948524835),
    (1.8750014808534479, -1.2500016453999487, 0.3750001645474248),
    (1.875, -1.25, 0.375),
)


def safe(triples: tuple[Triple, ...], factor: float) -> tuple[Triple, ...]:
    """The triples, but for the last, of which singular values up to factor stay in reach."""
    made = ((a / factor, b / factor**3, c / factor**5) for a, b, c in triples[:-1])
    return (*made, triples[-1])


COEFFICIENTS: dict[str, tuple[Triple, ...]] = {
    # As in Emerging-Optimizers, after T. Boissin's preconditioning of the same name.
    "aol": (
        (4.0098, -7.0585, 2.4635),
        (3.4585, -5.5479, 2.5959),
        (2.7573, -3.2939, 1.4254),
        (2.7215, -3.0494, 1.3169),
    ),
    # E. Grishina, M. Smirnov, M. Rakhuba, 2025 (arXiv:2506.10935), as in Emerging-Optimizers.
    "cans": (
        (8.4703, -25.1081, 18.6293),
        (4.1828, -3.1087, 0.5806),
        (3.9619, -2.9541, 0.5630),
        (3.2866, -2.4647, 0.5074),
        (2.2737, -1.6447, 0.4162),
    ),
    # Five cubic steps of Emerging-Optimizers.
    "cubic": (
        (3.3656576, -3.3420992, 0.0),
        (2.5744352, -1.4957376, 0.0),
        (2.5368962, -1.4312570, 0.0),
        (2.4418906, -1.2764040, 0.0),
        (2.2230472, -0.9630650, 0.0),
    ),
    # DeepSeek-V4, as in Emerging-Optimizers: eight steps of Jordan's, two that converge.
    "eight_and_two": ((3.4445, -4.7750, 2.0315),) * 8 + ((2.0, -1.5, 0.5),) * 2,
    "polar_express": safe(_POLAR_EXPRESS, 1.01),
    # Its lists for iterations in bfloat16, made with a safety of 1e-2 and, in modded-nanogpt and
    # Dion too, of 2e-2.
    "polar_express_1e-2": (
        (8.237312490495555, -23.157747414558198, 16.680568411445915),
        (4.082441999064835, -2.893047735332586, 0.5252849256975648),
        (3.9263479922546582, -2.8547468034765298, 0.5318022422894988),
        (3.2982187133085143, -2.424541981026706, 0.48632008358844075),
        (2.2970369434552573, -1.63662558125903, 0.4002628455953627),
        (1.8763805351440397, -1.2347896577722228, 0.35891887501668385),
        (1.8564423485617974, -1.2132449880935525, 0.3568003487825883),
        (1.8749994008682747, -1.2499988017229169, 0.3749994008546422),
    ),
    "polar_express_2e-2": (
        (8.156554524902461, -22.48329292557795, 15.878769915207462),
        (4.0429299351667245, -2.808917465908704, 0.5000178451051299),
        (3.8916678022926563, -2.7724841532176825, 0.5060648178503389),
        (3.285753657755658, -2.3681294933425394, 0.46449024233003117),
        (2.3005307116270983, -1.6111665557258408, 0.3833374427545273),
        (1.8631210546382593, -1.2042160621002727, 0.3421879560523383),
        (1.8382572152247512, -1.1779263289537742, 0.3396513038637379),
        (1.8749999923301852, -1.2499999836060613, 0.374999991275876),
    ),
    # modded-nanogpt, of 2025; the same in optax, heavyball and pytorch-optimizer.
    "quintic": (
        (4.0848, -6.8946, 2.9270),
        (3.9505, -6.3029, 2.6377),
        (3.7418, -5.5913, 2.3037),
        (2.8769, -3.1427, 1.2046),
        (2.8366, -3.0525, 1.2012),
    ),
}


def triple(name: str, i: int) -> Triple:
    """The coefficients of step i of the named list."""
    listed = COEFFICIENTS[name]
    return listed[min(i, len(listed) - 1)]


def triples(h: Hyper) -> list[Triple]:
    """The coefficients of every step: a rule's own numbers, or of the list that it names."""
    if h.coefficients == "constant":
        return [(h.ns_a, h.ns_b, h.ns_c)] * h.ns_steps
    return [triple(h.coefficients, i) for i in range(h.ns_steps)]


def as_matrix(x: Array) -> Array:
    """x with one row for each entry of its first axis."""
    return x.reshape(x.shape[0] if x.ndim else 1, -1)


def frobenius(x: Array) -> Array:
    """The Frobenius norm."""
    return np.sqrt(np.sum(x * x))


def iterated(x: Array, steps: Sequence[Triple], size: Callable[[Array], Array]) -> Array:
    """What the steps make of matrix x, divided by its size as a wide one."""
    x = stage(x, "newton_schulz")
    tall = x.shape[0] > x.shape[1]
    if tall:
        x = x.T
    x = x / size(x)
    for a, b, c in steps:
        gram = x @ x.T
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return stage(x.T if tall else x, "")


def orthogonalized(h: Hyper, x: Array) -> Array:
    """What the iteration makes of matrix x; ns_eps guards its Frobenius norm."""

    def size(wide: Array) -> Array:
        norm = frobenius(wide)
        return norm + h.ns_eps if h.norm_guard == "added" else np.maximum(norm, h.ns_eps)

    return iterated(x, triples(h), size)
