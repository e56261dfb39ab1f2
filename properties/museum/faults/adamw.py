"""Faults in Adam, AdamW and AMSGrad: eps, decay and moments."""

from functools import partial

from truestep.properties.museum.fault import Fault, fault

BEFORE = {"decay": "before"}
M = "m = h.beta1 * s.m + (1 - h.beta1) * g"
ROOT = "np.sqrt(v_hat) + h.eps"
V = "v = h.beta2 * s.v + (1 - h.beta2) * (g * g)"
STEP = "p * (1 - h.lr * h.weight_decay) - h.lr * update"
V_HAT = "v_hat = v_max / (1 - h.beta2**t) if corrected else v_max"

eps = partial(fault, "adamw", "eps", check="update_alone", dialect=BEFORE)
decay = partial(fault, "adamw", "decay", dialect=BEFORE)
moment = partial(fault, "adamw", "moment", dialect=BEFORE)
amsgrad = partial(fault, "amsgrad", "moment", dialect={"bias_correction": "both"})

ADAMW: dict[str, Fault] = {
    "adam_decay_negated_by_maximize": fault(
        "adam",
        "decay",
        "maximize negates the gradient after the decay was added to it "
        "[kozistr/pytorch_optimizer#528]",
        ("g + h.weight_decay * p", "g + (-1 if h.maximize else 1) * h.weight_decay * p"),
    ),
    "adamw_decay_after_step": decay(
        "decay applied to the moved parameter [bitsandbytes-foundation/bitsandbytes#2010]",
        (STEP, "(p - h.lr * update) * (1 - h.lr * h.weight_decay)"),
        computes="adamw with weight decay, multiplied by lr, after the step",
    ),
    "adamw_decay_by_lr_twice": decay(
        "decay multiplied by lr twice [kozistr/pytorch_optimizer#170]",
        (STEP, "p * (1 - h.lr * h.lr * h.weight_decay) - h.lr * update"),
    ),
    "adamw_decay_flipped_by_maximize": decay(
        "maximize turns the decay into growth [kozistr/pytorch_optimizer#528]",
        (STEP, "p * (1 - (-1 if h.maximize else 1) * h.lr * h.weight_decay) - h.lr * update"),
    ),
    "adamw_decay_ignored": decay(
        "weight decay never reaches the kernel "
        "[bitsandbytes: adamw_bnb_8bit dispatched to Adam8bit]",
        (STEP, "p - h.lr * update"),
    ),
    "adamw_decay_in_bfloat16": decay(
        "the factor 1 - lr weight_decay rounded to bfloat16, often to 1 [Nerogar/OneTrainer#996]",
        (STEP, "p * bfloat16(1 - h.lr * h.weight_decay) - h.lr * update"),
    ),
    "adamw_decay_in_gradient": decay(
        "decay added to the gradient, as in Adam "
        "[Loshchilov & Hutter 2019 on the libraries of their time]",
        (M, f"g = g + h.weight_decay * p\n    {M}"),
        (STEP, "p - h.lr * update"),
        computes="adam with both moments corrected for their zero start; weight decay added to "
        "the gradient; eps added to the root of the corrected second moment",
    ),
    "adamw_decay_negated": decay(
        "weights grow instead of shrinking [chainer/chainer#261]",
        (STEP, "p * (1 + h.lr * h.weight_decay) - h.lr * update"),
    ),
    "adamw_decay_of_shrunk": decay(
        "p - p (1 - lr weight_decay) in the place of p (1 - lr weight_decay) "
        "[variable.assign_sub(variable * (1 - lr * wd)) in a Keras AdamW]",
        (STEP, f"p - {STEP}"),
    ),
    "adamw_decay_skipped_at_zero_gradient": decay(
        "elements without a gradient are not decayed [lazy updates of sparse gradients]",
        (STEP, "np.where(g == 0, p, p * (1 - h.lr * h.weight_decay)) - h.lr * update"),
        check="all_zero",
    ),
    "adamw_decay_without_lr": decay(
        "decay not multiplied by lr [libraries that follow the paper's Algorithm 2]",
        (STEP, "p - (h.lr * update + h.weight_decay * p)"),
        computes="adamw with weight decay not multiplied by lr",
    ),
    "adamw_eps_as_floor": eps(
        "the larger of root and eps divides [heavyball]",
        (ROOT, "np.maximum(np.sqrt(v_hat), h.eps)"),
        computes="adamw with eps as a floor of the root",
    ),
    "adamw_eps_at_least_1e-12": eps(
        "an eps of 0 becomes a small one [a division by zero prevented]",
        (ROOT, "np.sqrt(v_hat) + max(h.eps, 1e-12)"),
        check="strata",
    ),
    "adamw_eps_before_correction": eps(
        "eps added to the root before bias correction [Kingma & Ba 2015, end of section 2]",
        (f"({ROOT})", "((np.sqrt(v) + h.eps) / np.sqrt(1 - h.beta2**t))"),
        computes="adamw with eps added to the root before bias correction",
    ),
    "adamw_eps_divided_by_lr": eps(
        "lr folded into the denominator: nan where lr is zero [pytorch/pytorch#186444]",
        (ROOT, "np.sqrt(v_hat) / np.float32(h.lr) + np.float32(h.eps) / np.float32(h.lr)"),
        (STEP, "p * (1 - h.lr * h.weight_decay) - update"),
        check="combinations",
    ),
    "adamw_eps_in_float16": eps(
        "eps rounded to float16, where 1e-8 is zero [google-deepmind/optax#1754]",
        (ROOT, "np.sqrt(v_hat) + float(np.float16(h.eps))"),
    ),
    "adamw_eps_inside_and_outside": eps(
        "eps added inside the root and again outside of it [kozistr/pytorch_optimizer#397]",
        (ROOT, "np.sqrt(v_hat + h.eps) + h.eps"),
    ),
    "adamw_eps_inside_root": eps(
        "eps added inside the root [kozistr/pytorch_optimizer#397]",
        (ROOT, "np.sqrt(v_hat + h.eps)"),
        computes="adamw with eps added inside the root",
    ),
    "adamw_eps_missing": eps(
        "no eps at all [kozistr/pytorch_optimizer#397]", (ROOT, "np.sqrt(v_hat)")
    ),
    "adamw_eps_squared_inside_root": eps(
        "eps squared added inside the root [kozistr/pytorch_optimizer#397]",
        (ROOT, "np.sqrt(v_hat + h.eps**2)"),
    ),
    "adamw_first_moment_holds_lr": moment(
        "lr multiplies the gradient before it is averaged "
        "[Adafactor with beta1 > 0: lr inside the momentum]",
        (M, "m = h.beta1 * s.m + (1 - h.beta1) * (h.lr * g)"),
        (STEP, "p * (1 - h.lr * h.weight_decay) - update"),
    ),
    "adamw_first_moment_without_complement": moment(
        "m adds the whole gradient, as a momentum buffer does "
        "[exponential average taken for a sum]",
        (M, "m = h.beta1 * s.m + g"),
    ),
    "adamw_maximize_ignored": moment(
        "maximize is ignored: negated twice [kozistr/pytorch_optimizer#528]", ("g = -g", "pass")
    ),
    "adamw_second_moment_of_first": moment(
        "v averages the squares of m [a variable mixed up]", (V, V.replace("g * g", "m * m"))
    ),
    "adamw_second_moment_of_parameter": moment(
        "v averages the squares of p [ADOPT: exp_avg_sq set from the parameter]",
        (V, V.replace("g * g", "p * p")),
    ),
    "adamw_second_moment_of_roots": moment(
        "roots are averaged and the average is squared [root taken before averaging]",
        (V, "v = np.square(h.beta2 * np.sqrt(s.v) + (1 - h.beta2) * np.abs(g))"),
    ),
    "adamw_second_moment_of_sizes": moment(
        "v averages |g| instead of its square [a square forgotten]",
        (V, "v = h.beta2 * s.v + (1 - h.beta2) * np.abs(g)"),
    ),
    "adamw_second_moment_with_beta1": moment(
        "beta1 averages both moments [AdEMAMix: a hyperparameter read from its neighbour]",
        (V, "v = h.beta1 * s.v + (1 - h.beta1) * (g * g)"),
    ),
    "adamw_update_by_gradient": moment(
        "the gradient moves p in the place of its average [pytorch/pytorch#106615]",
        ("m_hat = m / (1 - h.beta1**t)", "m_hat = g"),
    ),
    "adamw_update_one_step_late": moment(
        "p moves by the first moment of the step before "
        "[optax scale_by_rprop: the previous update is returned]",
        ("m_hat = m / (1 - h.beta1**t)", "m_hat = s.m / (1 - h.beta1**t)"),
    ),
    "amsgrad_divides_by_latest": amsgrad(
        "the maximum is kept, but the latest second moment divides [amsgrad=True without effect]",
        (V_HAT, "v_hat = v / (1 - h.beta2**t)"),
    ),
    "amsgrad_divides_by_previous": amsgrad(
        "the maximum before this step divides [state read before it was written]",
        (V_HAT, "v_hat = s.v_max / (1 - h.beta2**t)"),
    ),
    "amsgrad_maximum_not_stored": amsgrad(
        "the maximum divides the step but is not written back [pytorch/pytorch#78807]",
        ("v_max=v_max", "v_max=s.v_max"),
    ),
    "amsgrad_maximum_of_debiased": amsgrad(
        "the maximum is taken over corrected moments, and declared as raw "
        "[optax and Keras, against PyTorch]",
        ("np.maximum(s.v_max, v)", "np.maximum(s.v_max, v / (1 - h.beta2**t))"),
        (V_HAT, "v_hat = v_max"),
        computes="amsgrad with maximum over second moments after bias correction",
    ),
    "amsgrad_maximum_stored_as_root": amsgrad(
        "the root is taken in place, and so stored as the maximum [pytorch/pytorch#4314]",
        ("v_max=v_max", "v_max=np.sqrt(v_max)"),
    ),
}
