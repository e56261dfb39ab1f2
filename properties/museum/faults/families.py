"""The usual faults of formats, in the families whose body is not that of block formats alone."""

from collections.abc import Iterator

from truestep.properties.museum.fault import Fault, fault
from truestep.properties.museum.faults.beside import AFFINE, INTEGERS, NESTED, RANK_ONE, SMALLER
from truestep.properties.museum.faults.blocks import PLANTED
from truestep.properties.museum.plant import Edit
from truestep.reference import block_formats

# By what is planted in them of the faults of block formats, whose lines they run too; and the check
# that is to catch it where it is another than there.
_OF_BLOCKS: dict[tuple[str, ...], dict[str, str]] = {
    (*NESTED, *INTEGERS): {
        "block_zeroed": "strata", "extreme_in_bfloat16": "strata",
        "extreme_without_last": "strata", "missing_value": "strata", "neighbours_scale": "strata",
        "threshold_off": "strata", "ties_away": "strata", "truncated": "random",
        "unscaled": "random", "wrong_value": "every_code",
    },
    RANK_ONE: {
        "extreme_without_last": "strata", "missing_value": "thresholds",
        "threshold_off": "thresholds", "ties_away": "thresholds", "truncated": "random",
        "unscaled": "random", "wrong_value": "every_code",
    },
}  # fmt: skip
ENDS = """np.minimum.at(low, group, x.reshape(-1))
        np.maximum.at(high, group, x.reshape(-1))"""
PLAIN = "else np.rint(q) + zero"
QUOTIENT = "q = np.where(usable, x, 0.0) / np.where(usable, s, 1.0)\n        return"
CODES = "return self._limited(self._plain(h, x, s, z)), scale, zero_point"
PRODUCT = "(code - second) * s"
SCALE = "scale = self._stored(h, width / self.top)"
_AFFINE: tuple[tuple[str, str, Edit, str], ...] = (
    (
        "block_zeroed", "every 64th group is zeros [launches that lose their last block]",
        (CODES, CODES.replace("self._plain(h, x, s, z)", "np.where(self.cut.group_of(h, x.shape) "
                              "% 64 == 63, z, self._plain(h, x, s, z))")), "strata",
    ),
    (
        "ends_in_bfloat16", "the extremes go through bfloat16 "
        "[bitsandbytes-foundation/bitsandbytes#1971]",
        (SCALE, SCALE.replace("width", "bfloat16(width.astype(np.float32))")), "strata",
    ),
    (
        "ends_without_last",
        "a group's last element does not count for its extremes [partial-block reductions]",
        (ENDS, "first = np.append(True, group[1:] != group[:-1])[: group.size]\n        "
         "kept = first | np.append(group[1:] == group[:-1], False)[: group.size]\n        "
         + ENDS.replace("group, x.reshape(-1)", "group[kept], x.reshape(-1)[kept]")), "strata",
    ),
    (
        "neighbours_scale", "elements are divided by the next group's scale [block indices off by "
        "one]",
        ("self.cut.per_element(h, held, x.shape) for held in (wide, zero_point)",
         "self.cut.per_element(h, held, x.shape) for held in (np.append(wide[1:], wide[-1:]), "
         "zero_point)"), "strata",
    ),
    (
        "ties_away", "of two equally near codes the larger quotient is taken [rounding by adding a "
        "half]",
        (PLAIN, "else np.copysign(np.floor(np.abs(q) + 0.5), q) + zero"), "thresholds",
    ),
    (
        "truncated", "what is left of the quotient is cut off [casts that drop the lower bits]",
        (PLAIN, "else np.trunc(q) + zero"), "random",
    ),
    (
        "unscaled", "elements are rounded before they are scaled [sgl-project/sglang#28418]",
        (QUOTIENT,
         QUOTIENT.replace("np.where(usable, x, 0.0)", "np.rint(np.where(usable, x, 0.0))")),
        "random",
    ),
    (
        "wrong_value", "one code's value is 2^-7 off [huggingface/transformers#47030]",
        (PRODUCT, f"{PRODUCT} * np.where(code == 5, 1 + 2.0**-7, 1.0)"), "every_code",
    ),
)  # fmt: skip
_WITH_MINIMA: tuple[tuple[str, str, Edit, str], ...] = (
    next(planted for planted in _AFFINE if planted[0] == "ends_without_last"),
    (
        "truncated", "what is left of the quotient is cut off [casts that drop the lower bits]",
        ("np.where(s > 0, s, 1.0) + 0.5)", "np.where(s > 0, s, 1.0))"), "random",
    ),
    (
        "wrong_value", "one code's value is 2^-7 off [huggingface/transformers#47030]",
        ("return code * s + second",
         "return code * np.where(code == 5, 1 + 2.0**-7, 1.0) * s + second"), "every_code",
    ),
)  # fmt: skip
# What needs several groups in a tensor.
_OF_GROUPS = ("block_zeroed", "neighbours_scale")


def _of_blocks() -> Iterator[tuple[str, Fault]]:
    for rules, names in _OF_BLOCKS.items():
        for name, check in names.items():
            planted = PLANTED[name]
            edits = (edit if len(edit) == 3 else (block_formats, *edit) for edit in planted.edits)
            fixed = {} if rules is RANK_ONE else {"block_size": 64}
            made = list(edits)
            for rule in rules:
                yield (
                    f"{rule}_{name}",
                    fault(rule, "quantizer", planted.about, *made, check=check, fixed=fixed),
                )


def _affine() -> Iterator[tuple[str, Fault]]:
    for rule in AFFINE:
        for name, about, edit, check in _AFFINE:
            if name not in _OF_GROUPS or not rule.endswith("_tensor"):
                yield f"{rule}_{name}", fault(rule, "quantizer", about, edit, check=check)
    for rule in SMALLER:
        for name, about, edit, check in _WITH_MINIMA:
            yield f"{rule}_{name}", fault(rule, "quantizer", about, edit, check=check)


FAMILIES: dict[str, Fault] = dict([*_of_blocks(), *_affine()])
