"""Faults in formats with scales by groups, each planted in every row in which it can exist.

The body of all formats is one, and so is the text that a fault changes in it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from truestep.properties.museum.fault import Fault, fault
from truestep.properties.museum.plant import Edit
from truestep.reference import block_groups, block_scales, four_over_six
from truestep.reference.format_rows import ROWS, Codebook, Row

_AGAINST = (
    "scale = self.chosen(h, x)\n        "
    "y, size = self.against(x, self.per_element(h, self.divisor(h, x, scale), x.shape))"
)
_CODE = "return self.ranked[0][rank].astype(np.uint8), scale"
_AWAY_FROM_ZERO = 'self.nearest(changed(h, rounding="nearest_away"), y, size)'
_CHOSEN = "scale = self.chosen(h, x)"
_LARGEST = "np.maximum.at(largest, group, np.abs(flat))"
_NEAREST = 'if getattr(h, "rounding", "") != "toward_zero":'
_QUOTIENT = "y = m / (becomes or row.largest)"
_T = "t = self.thresholds(h)\n        (up, zeros)"
_VALUES = "values = np.append(self.all_values(h), np.full(256, np.nan))[code]"
_PRODUCT = "return values * self.per_element(h, self.value(h, scale), code.shape)"


@dataclass(frozen=True, slots=True)
class _Planted:
    """A fault of many formats. of: in which rows it can exist. check: what is to see it."""

    about: str
    edits: tuple[Edit, ...]
    check: str = "random"
    of: Callable[[Row], bool] = lambda _: True


def _is(*scales: str) -> Callable[[Row], bool]:
    return lambda row: row.scale in scales


def _has_ties(row: Row) -> bool:
    """Whether an equally near value is a matter of the dialect, which a kernel decides exactly."""
    return "rounding" in row.Hyper.CHOICES and row.scale != "float16"


def _signed_zero(row: Row) -> bool:
    return any(str(x) == "-0.0" for x in row.elements)


PLANTED: dict[str, _Planted] = {
    "block_zeroed": _Planted(
        "every 64th group is zeros [launches that lose their last block]",
        ((_CODE, _CODE.replace("rank]", "np.where(self.group_of(h, x.shape) % 64 == 63, "
                               "len(self.ranked[0]) // 2, rank)]")),),
        "strata", lambda row: row.grouping == "block",
    ),
    "cut_tile_by_half": _Planted(
        "of tiles that the tensor cuts off, rows from the middle on do not count for the scale "
        "[threads that load half of an edge]",
        ((_CHOSEN, "rows = np.arange(x.size).reshape(x.shape) // x.shape[-1] % x.shape[-2] "
          "if x.ndim > 1 and x.size else np.zeros(x.shape)\n"
          "        side, end = self.row.block, rows.max(initial=0) + 1\n"
          "        late = (rows % side >= side // 2) & (rows >= end // side * side)\n"
          "        scale = self.chosen(h, np.where(late, 0.0, x))"),),
        "strata", lambda row: row.grouping == "tile",
    ),
    "decoded_in_bfloat16": _Planted(
        "the scale goes through bfloat16 when it is decoded "
        "[bitsandbytes-foundation/bitsandbytes#1971]",
        ((_PRODUCT, _PRODUCT.replace("self.value(h, scale)", "bfloat16(self.value(h, scale)"
                                     ".astype(np.float32))")),),
        of=_is("absmax", "float32"),
    ),
    "exponent_off_by_one": _Planted(
        "the scale is twice what the rule says [flashinfer-ai/flashinfer#2440]",
        ((block_scales, "np.clip(e + BIAS,", "np.clip(e + BIAS + 1,"),),
        of=_is("e8m0"),
    ),
    "exponent_of_subnormals": _Planted(
        "a subnormal extreme counts as the least normal number [microsoft/onnxruntime#28435]",
        ((block_scales, "finite = np.where(np.isfinite(m) & (m > 0), m, 1.0)",
          "finite = np.where(np.isfinite(m) & (m > 0), np.maximum(m, 2.0**-126), 1.0)"),),
        "strata", lambda row: row.scale == "e8m0" and row.emax < 2,
    ),
    "exponent_rounded": _Planted(
        "the exponent of the scale is rounded to nearest [ROCm/FlyDSL#590]",
        ((block_scales, 'exponent(finite, "up" if h.rule == "ceil" else "down")',
          "np.rint(np.log2(finite)).astype(np.int64)"),),
        of=_is("e8m0"),
    ),
    "extreme_in_bfloat16": _Planted(
        "the extreme is taken of numbers in bfloat16 [bitsandbytes-foundation/bitsandbytes#1971]",
        ((_CHOSEN, "scale = self.chosen(h, bfloat16(x.astype(np.float32)).astype(np.float64))"),),
        "strata",
    ),
    "extreme_without_last": _Planted(
        "a group's last element does not count for its scale [partial-block reductions]",
        ((block_groups, _LARGEST, "last = np.append(group[1:] != group[:-1], True) & "
          "np.append(False, group[1:] == group[:-1])\n"
          "    " + _LARGEST.replace("np.abs(flat)", "np.where(last, 0.0, np.abs(flat))")),),
        "strata", lambda row: row.grouping not in ("column", "tile"),
    ),
    "kept_above_the_range": _Planted(
        "what exceeds the largest value becomes the code of nan [pytorch/pytorch#177870]",
        ((_CODE, "code = self.ranked[0][rank]\n"
          "        code = np.where(np.abs(y) > size * self.row.largest * 1.07, 127, code)\n"
          "        return code.astype(np.uint8), scale"),),
        of=lambda row: row.scale == "e8m0" and len(row.elements) == 256 and row.largest > 100,
    ),
    "largest_off_by_one": _Planted(
        "the extreme becomes one more than the largest integer [symmetric ranges of two kinds]",
        ((block_scales, _QUOTIENT, f"{_QUOTIENT[:-1]} + 1)"),),
        of=lambda row: row.scale == "float32" and row.largest < 200,
    ),
    "largest_inexact": _Planted(
        "the extreme becomes a little more than the largest value [constants typed with few "
        "digits]",
        ((block_scales, _QUOTIENT, f"{_QUOTIENT} / (1 + 1e-6)"),),
        "strata", _is("e4m3"),
    ),
    "missing_value": _Planted(
        "one value is never given [vllm-project/vllm#21309]",
        (("codes = codes[order]", "codes = np.delete(codes[order], len(order) // 2 + 1)"),),
        "all_codes", lambda row: len(row.elements) > 4,
    ),
    "nan_ignored": _Planted(
        "the extreme passes over a nan [fmaxf in reductions]",
        ((block_groups, _LARGEST, _LARGEST.replace("maximum", "fmax")),),
        "strata",
    ),
    "neighbours_scale": _Planted(
        "elements are divided by the next group's scale [block indices off by one]",
        ((_AGAINST, _AGAINST.replace("self.divisor(h, x, scale)",
          "(lambda d: np.append(d[1:], d[-1:]))(self.divisor(h, x, scale))")),),
        "strata", lambda row: row.grouping != "tensor",
    ),
    "scale_above": _Planted(
        "the block scale is rounded up [NVIDIA/TransformerEngine#2972]",
        ((block_scales, "SMALL_E4M3.nearest(y)",
          "(lambda off, code: code + (off > 0))(*SMALL_E4M3.truncated(y))"),),
        of=_is("e4m3"),
    ),
    "sign_of_zero_lost": _Planted(
        "what rounds to -0 becomes 0 [bitsandbytes-foundation/bitsandbytes#851]",
        (("np.where(zeros[k], positive, up[k])", "(zeros | up)[k]"),),
        "strata", _signed_zero,
    ),
    "threshold_off": _Planted(
        "the thresholds are two units in the last place off [constants typed with few digits]",
        ((_T, _T.replace("(h)", "(h) * (1 + 2.0**-22)")),),
        "thresholds", lambda row: len(row.elements) > 4 and row.scale != "float16",
    ),
    "ties_away": _Planted(
        "of two equally near values the larger is taken [rounding by adding a half]",
        (('"nearest_even": codes[:-1] % 2 == 1', '"nearest_even": t > 0'),
         ('"lower": np.zeros(t.shape, bool)', '"lower": np.ones(t.shape, bool)')),
        "thresholds", lambda row: row.scale != "float16",
    ),
    "ties_away_beyond_one_launch": _Planted(
        "beyond 2^16 elements, of two equally near values the larger is taken [another kernel for "
        "many elements]",
        ((_CODE, f"rank = np.where(x.size > 2**16, {_AWAY_FROM_ZERO}, rank)\n        {_CODE}"),),
        "strata", _has_ties,
    ),
    "ties_away_in_tail": _Planted(
        "of the last, short group's equally near values the larger is taken [loops over what "
        "vectors leave]",
        ((_CODE, f"short = np.arange(x.size).reshape(x.shape) >= x.size - x.size % self.length(h)\n"
          f"        rank = np.where(short, {_AWAY_FROM_ZERO}, rank)\n        {_CODE}"),),
        "thresholds", lambda row: _has_ties(row) and row.grouping == "block",
    ),
    "tile_transposed": _Planted(
        "the scales of tiles lie column by column [a grid whose x and y are exchanged]",
        ((block_groups, "* down + i // size) * across + j // size",
          "* across + j // size) * down + i // size"),),
        "strata", lambda row: row.grouping == "tile",
    ),
    "truncated": _Planted(
        "what is left of the quotient is cut off [casts that drop the lower bits]",
        ((_NEAREST, "if False:"),),
    ),
    "unscaled": _Planted(
        "elements are rounded before they are scaled [sgl-project/sglang#28418]",
        (("return y, np.where(usable, np.abs(s), 1.0)", "return y, np.ones(y.shape)"),),
    ),
    "wrong_value": _Planted(
        "one code's value is 2^-7 off [huggingface/transformers#47030]",
        ((_VALUES, "k = np.arange(len(self.row.elements)) == len(self.row.elements) // 3\n"
          "            " + _VALUES.replace(
              "self.all_values(h)",
              "self.all_values(h) * np.where(k, 1 + 2.0**-7, 1.0)")),),
        "every_code",
    ),
}  # fmt: skip


def everywhere() -> Iterator[tuple[str, str, _Planted]]:
    """Every fault in every row in which it can exist: the fault's name, the row's, the fault."""
    for name, planted in PLANTED.items():
        for row in ROWS:
            if planted.of(ROWS[row]):
                yield name, row, planted


def made(row: str, planted: _Planted) -> Fault:
    """The fault in this row; smaller blocks of codebooks show more of them."""
    fixed = {"block_size": 64} if ROWS[row].Hyper is Codebook else {}
    return fault(row, "quantizer", planted.about, *planted.edits, check=planted.check, fixed=fixed)


def _some() -> Iterator[tuple[str, Fault]]:
    """Each fault in one row, and each row with one fault: in turn."""
    rows: dict[str, list[str]] = {}
    for name, row, _ in everywhere():
        rows.setdefault(name, []).append(row)
    left, taken = list(ROWS), dict[tuple[str, str], None]()
    for name in rows:
        own = [row for row in rows[name] if row in left] or rows[name]
        taken[name, own[0]] = None
        left = [row for row in left if row != own[0]]
    for k, row in enumerate(left):
        able = [name for name in rows if row in rows[name]]
        taken[able[k % len(able)], row] = None
    for name, row in taken:
        yield f"{row}_{name}", made(row, PLANTED[name])


_AWAY = "away = random < 2**16 * np.where(y < 0, 1 - part, part)"
_FEWER = "np.where(with_four < with_six, four, six)"
# In the choices that a format offers besides.
_CHOICES: dict[str, Fault] = {
    f"{row}_{name}": fault(row, "quantizer", about, *edits, check=check, dialect=dialect)
    for row, name, about, dialect, check, edits in (
        (
            "int4", "draws_biased", "away from zero too often by 2^-9 [generators with few bits]",
            {"rounding": "stochastic"}, "frequency",
            ((_AWAY, _AWAY.replace("random <", "random < 2**7 * (low < high) +")),),
        ),
        (
            "int8", "draws_signed",
            "negative numbers go up as often as their opposites should [a part taken of |x|]",
            {"rounding": "stochastic"}, "frequency",
            ((_AWAY, _AWAY.replace("1 - part, part", "part, part")),),
        ),
        (
            "mxfp4", "draw_of_block", "a block has one draw [a generator seeded by the block]",
            {"rounding": "stochastic"}, "independence",
            ((_AWAY, _AWAY.replace("random", "np.resize(np.repeat(random.reshape(-1)[::32], 32), "
                                   "random.shape)")),),
        ),
        (
            "mxfp8_e4m3", "carry_lost",
            "what goes up to a power of two gets the power below [a mantissa without its carry]",
            {"rounding": "stochastic"}, "random",
            (("return np.where(away == (y > 0), high, low)",
              "up = np.where(away == (y > 0), high, low)\n        v = self.ranked[1]\n"
              "        carried = away & (low < high) & (np.frexp(np.abs(v[up]))[0] == 0.5)\n"
              "        lost = 8 * np.sign(y).astype(np.int64)\n"
              "        return np.where(carried & (v[up] != 0), up - lost, up)"),),
        ),
        (
            "nvfp4", "draws_zero", "what is drawn becomes zero [NVIDIA/TransformerEngine#3281]",
            {"rounding": "stochastic"}, "random",
            (("return np.where(away == (y > 0), high, low)", "return np.full(y.shape, 8)"),),
        ),
        (
            "nvfp4", "four_always", "every extreme becomes 4 [a choice that is not made]",
            {"four_over_six": "mse"}, "random", ((four_over_six, _FEWER, "four"),),
        ),
        (
            "nvfp4", "four_by_another_measure", "sizes are summed, not squares [MAE for MSE]",
            {"four_over_six": "mse"}, "random",
            ((four_over_six, 'h.four_over_six == "mse"', "False"),),
        ),
        (
            "nvfp4", "four_if_equal", "of equal sums 4 is taken [<= in the place of <]",
            {"four_over_six": "mse"}, "all_codes",
            ((four_over_six, _FEWER, _FEWER.replace("<", "<=")),),
        ),
        (
            "nvfp4", "four_inexact", "the extreme becomes a little more than 4 [constants typed "
            "with few digits]",
            {"four_over_six": "mse"}, "strata",
            ((four_over_six, "FOUR = 4.0", "FOUR = 4.000004"),),
        ),
        (
            "mxfp8_e4m3", "even_inexact", "an exponent goes up a little too late [constants typed "
            "with few digits]",
            {"rule": "even"}, "strata",
            ((block_scales, ">= 2 - 2.0 ** -(row.bits + 1)", ">= 1.937502"),),
        ),
    )
}  # fmt: skip
BLOCKS: dict[str, Fault] = dict(_some()) | _CHOICES
