"""Faults in AdamW's step counter and bias corrections, in precision, and at special numbers."""

from functools import partial

from truestep.properties.museum.fault import Fault, fault
from truestep.properties.museum.faults.adamw import BEFORE, ROOT, STEP, M, V

M_HAT, V_HAT = "m_hat = m / (1 - h.beta1**t)", "v_hat = v / (1 - h.beta2**t)"
STORED = "State(t=t, m=m, v=v)"
# The count is right where it is stored, and wrong in the corrections.
STORED_RIGHT = ("State(t=t", "State(t=s.t + 1")
T = "t = s.t + 1"

count = partial(fault, "adamw", "counter", dialect=BEFORE)
precision = partial(fault, "adamw", "precision", dialect=BEFORE)
special = partial(fault, "adamw", "special", check="special_values", dialect=BEFORE)


def _power(beta: str) -> str:
    """beta^t multiplied up in float32; a million factors have underflowed."""
    return f"float(np.cumprod(np.full(min(t, 1_000_000), {beta}, np.float32))[-1])"


ADAMW_NUMBERS: dict[str, Fault] = {
    "adamw_beta2_in_bfloat16": precision(
        "beta2 truncated to bfloat16: 0.999 becomes 0.996 [tenstorrent/tt-metal#55935]",
        (T, f"bits = np.array(h.beta2, np.float32).view(np.uint32) & 0xFFFF0000\n    {T}"),
        (T, f"h = changed(h, beta2=float(bits.view(np.float32)))\n    {T}"),
    ),
    "adamw_betas_in_float32": precision(
        "betas kept in float32 where double is declared [google-deepmind/optax#1532]",
        (T, f"short = [float(np.float32(x)) for x in (h.beta1, h.beta2)]\n    {T}"),
        (T, f"h = changed(h, beta1=short[0], beta2=short[1])\n    {T}"),
    ),
    "adamw_complement_of_beta2_in_float32": precision(
        "1 - beta2 computed in float32 [google-deepmind/optax#1532]",
        (V, "v = h.beta2 * s.v + (np.float32(1) - np.float32(h.beta2)) * (g * g)"),
    ),
    "adamw_correction_of_first_only": count(
        "only the first moment is corrected [half of a bias correction]", (V_HAT, "v_hat = v")
    ),
    "adamw_correction_of_second_only": count(
        "only the second moment is corrected [half of a bias correction]", (M_HAT, "m_hat = m")
    ),
    "adamw_corrections_ahead_after_first_chunk": count(
        "elements beyond the first 64 see the count of the next step [PaddlePaddle/Paddle#62251]",
        (M_HAT, f"t = t + (np.arange(g.size) >= 64).reshape(g.shape)\n    {M_HAT}"),
        STORED_RIGHT,
    ),
    "adamw_corrections_ignored": count(
        "no bias correction [Adam and AdamW without bias_correction]",
        (M_HAT, "m_hat = m"),
        (V_HAT, "v_hat = v"),
        computes="adam with moments not corrected for their zero start",
    ),
    "adamw_corrections_stored": count(
        "the first moment is corrected in place, and so corrected again at the next step "
        "[frgfm/holocron#1]",
        (STORED, "State(t=t, m=m_hat, v=v)"),
    ),
    "adamw_count_ahead": count(
        "corrections use t + 1 [karpathy/nanochat#818]", (T, "t = s.t + 2"), STORED_RIGHT
    ),
    "adamw_count_behind": count(
        "corrections use t - 1 [counters from 0]", (T, "t = s.t"), STORED_RIGHT
    ),
    "adamw_count_in_bfloat16": count(
        "the counter is a bfloat16 and stays at 256 [pytorch/pytorch#74424]",
        (T, "t = int(bfloat16(bfloat16(s.t) + 1))"),
        check="counter",
    ),
    "adamw_count_in_float32": count(
        "the counter is a float32 and stays at 2^24 [pytorch/pytorch: step is a float32 tensor]",
        ("State(t=t", "State(t=int(np.float32(s.t) + np.float32(1))"),
        check="counter_beyond_float32",
    ),
    "adamw_count_in_int8": count(
        "the counter saturates at 256, in the corrections alone [pytorch/pytorch#74424]",
        (T, "t = min(s.t + 1, 256)"),
        STORED_RIGHT,
        check="counter",
    ),
    "adamw_count_not_advanced": count(
        "the counter is not stored [SkipStepAdamW: the step counter is never incremented]",
        ("State(t=t", "State(t=s.t"),
    ),
    "adamw_count_of_float_bits": count(
        "the bits of the integer counter are read as a float [ooples/AiDotNet.Tensors#719]",
        (T, "t = float(np.array(s.t + 1, np.int32).view(np.float32))"),
        STORED_RIGHT,
    ),
    "adamw_count_twice": count(
        "the counter advances in the wrapper and in the kernel: 1, 3, 5, ... "
        "[unslothai/unsloth#10842]",
        (T, "t = 2 * s.t + 1"),
        STORED_RIGHT,
    ),
    "adamw_division_off_by_2e-6": precision(
        "a division with relative error 2e-6 [approximate reciprocals without a Newton step]",
        (f"({ROOT})", f"({ROOT}) * np.float32(1 + 2e-6)"),
        check="update_alone",
    ),
    "adamw_first_moment_in_float16": precision(
        "m rounded to float16 before it is stored [pytorch/pytorch#3658]",
        (STORED, "State(t=t, m=m.astype(np.float16), v=v)"),
    ),
    "adamw_gradient_clipped": special(
        "gradients limited to 1e6 without being asked [a guard left in]",
        (M, f"g = np.clip(g, -1e6, 1e6)\n    {M}"),
    ),
    "adamw_gradient_in_float16": precision(
        "the gradient passes through float16 "
        "[mixed precision: gradients cast to the parameters' former format]",
        (M, f"g = g.astype(np.float16).astype(np.float32)\n    {M}"),
    ),
    "adamw_lr_in_float16": precision(
        "lr rounded to float16 [host scalars cast to a tensor's format]",
        (T, f"h = changed(h, lr=float(np.float16(h.lr)))\n    {T}"),
        check="update_alone",
    ),
    "adamw_nan_of_the_average_forgotten": special(
        "a nan that an earlier gradient left in m is taken for 0 [states repaired when read]",
        (M, f"s = State(t=s.t, m=np.where(np.isnan(s.m), 0 * p, s.m), v=s.v)\n    {M}"),
    ),
    "adamw_nan_of_the_moment_forgotten": special(
        "a nan that an earlier gradient left in v is taken for 0 [states repaired when read]",
        (V, f"s = State(t=s.t, m=s.m, v=np.where(np.isnan(s.v), 0 * p, s.v))\n    {V}"),
    ),
    "adamw_nan_taken_for_zero": special(
        "a nan gradient counts as zero [hipDNN: a maximum that drops nan]",
        (M, f"g = np.where(np.isnan(g), 0.0, g)\n    {M}"),
    ),
    "adamw_nonfinite_step_skipped": special(
        "elements whose gradient is not finite are left as they were [found_inf without a scaler]",
        (STEP, "p * (1 - h.lr * h.weight_decay) - h.lr * np.where(np.isfinite(g), update, 0.0)"),
    ),
    "adamw_powers_as_float32_product": count(
        "beta^t multiplied up in float32, step after step [PaddlePaddle/Paddle#58378]",
        (M_HAT, f"m_hat = m / (1 - {_power('h.beta1')})"),
        (V_HAT, f"v_hat = v / (1 - {_power('h.beta2')})"),
    ),
    "adamw_root_off_by_2e-6": precision(
        "a square root with relative error 2e-6 [approximate roots without a Newton step]",
        (ROOT, "np.sqrt(v_hat) * np.float32(1 + 2e-6) + h.eps"),
        check="update_alone",
    ),
    "adamw_second_moment_in_bfloat16": precision(
        "v rounded to bfloat16 before it is stored [fairscale#50]",
        (STORED, "State(t=t, m=m, v=bfloat16(v))"),
    ),
    "adamw_subnormals_flushed": special(
        "subnormal squares are flushed to zero, declared as kept [-ffast-math on the host]",
        (V, f"{V}\n    v = np.where(v < np.finfo(np.float32).tiny, 0.0, v)"),
        check="full_range",
    ),
    "adamw_update_in_bfloat16": precision(
        "the update rounded to bfloat16 before it is applied "
        "[updates computed in the gradients' format]",
        (f"m_hat / ({ROOT})", f"bfloat16(m_hat / ({ROOT}))"),
        check="update_alone",
    ),
    "adamw_zero_gradient_skipped": special(
        "state is written but p is not where the gradient is zero "
        "[a shortcut for sparse gradients]",
        (STEP, "p * (1 - h.lr * h.weight_decay) - h.lr * np.where(g == 0, 0.0, update)"),
        check="lockstep",
    ),
}
