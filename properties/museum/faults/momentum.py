"""Faults in momentum, signs and averages of iterates, and in the rules of one example."""

from functools import partial

from truestep.properties.museum.fault import Fault, fault

example_lms = partial(fault, "lms", "example", dialect={"normalization": "power"})
example_perceptron = partial(fault, "perceptron", "example")
lion = partial(fault, "lion", "sign", dialect={"decay": "in_step"})
nesterov = partial(fault, "nesterov", "momentum", dialect={"form": "torch"})
polyak_ruppert = partial(fault, "polyak_ruppert", "averaging")
robbins_monro = partial(fault, "robbins_monro", "momentum")
schedule_free_adamw = partial(fault, "schedule_free_adamw", "averaging")
schedule_free_sgd = partial(fault, "schedule_free_sgd", "averaging")
sgd = partial(fault, "sgd", "momentum")

MOMENTUM: dict[str, Fault] = {
    "asgd_rate_counts_from_one": fault(
        "asgd",
        "averaging",
        "the first rate is that of the second step [counters from 0 and from 1]",
        ("(t - 1)) ** -h.alpha", "t) ** -h.alpha"),
    ),
    "heavy_ball_previous_point_not_stored": fault(
        "heavy_ball",
        "momentum",
        "the difference is that from the start, not from the point before [state not written back]",
        ("State(t=t, p_previous=p)", "State(t=t, p_previous=s.p_previous)"),
    ),
    "kiefer_wolfowitz_difference_not_halved": fault(
        "kiefer_wolfowitz",
        "example",
        "central differences divided by the width, not by twice it "
        "[one-sided and central differences mixed up]",
        ("/ (2 * c)", "/ c"),
    ),
    "kiefer_wolfowitz_maximize_ignored": fault(
        "kiefer_wolfowitz",
        "example",
        "maximize descends as well [kozistr/pytorch_optimizer#528]",
        ("gradient = -gradient", "pass"),
    ),
    "lion_betas_swapped": lion(
        "beta2 mixes the update and beta1 the momentum "
        "[lucidrains/lion-pytorch: arguments in another order]",
        ("c = h.beta1 * s.m + (1 - h.beta1) * g", "c = h.beta2 * s.m + (1 - h.beta2) * g"),
        ("m = h.beta2 * s.m + (1 - h.beta2) * g", "m = h.beta1 * s.m + (1 - h.beta1) * g"),
    ),
    "lion_decay_after_step": lion(
        "decay applied to the moved parameter [bitsandbytes: decay in some copies of Lion]",
        ("p - h.lr * update", "(p - h.lr * sign) * (1 - h.lr * h.weight_decay)"),
    ),
    "lion_decay_without_lr": lion(
        "decay not multiplied by lr [libraries differ]",
        ("p - h.lr * update", "p * (1 - h.weight_decay) - h.lr * sign"),
        computes="lion with weight decay not multiplied by lr",
    ),
    "lion_sign_of_new_momentum": lion(
        "the sign is that of the momentum after its update [state written before it was read]",
        ("c = h.beta1 * s.m", "c = h.beta1 * (h.beta2 * s.m + (1 - h.beta2) * g)"),
    ),
    "lion_sign_of_zero_is_one": lion(
        "zero counts as positive [signs taken from a comparison or from the sign bit]",
        ("np.sign(c)", "np.where(c >= 0, np.float32(1), np.float32(-1))"),
        check="all_zero",
    ),
    "lms_error_by_next_weights": example_lms(
        "the error is that of weights already moved by it, as in a loop that writes in place "
        "[state read after it was written]",
        ("np.sum(p * x)", "np.sum((p + h.lr * d * x) * x)"),
    ),
    "lms_error_signed_wrong": example_lms(
        "the step climbs the squared error: e is output less response "
        "[a sign of the error that belongs to the other order of the difference]",
        ("d - np.sum(p * x)", "np.sum(p * x) - d"),
    ),
    "lms_normalized_by_the_length": example_lms(
        "normalized by the input's length, where its square is meant "
        "[texts that write the norm without its square]",
        ("np.sum(x * x)", "np.sqrt(np.sum(x * x))"),
    ),
    "lms_square_declared_half": example_lms(
        "the gradient of e^2, not of e^2 / 2 [texts on either side of Widrow & Hoff's factor 2]",
        ('h.lr * e * x if h.loss == "half_square" else ', ""),
        computes="lms with gradient of the squared error, twice as long",
    ),
    "nesterov_buffer_holds_lookahead": nesterov(
        "the look-ahead is formed in place, and so stored [google-research/google-research#1711]",
        ("p = p - h.lr * (g + h.momentum * u)", "u = g + h.momentum * u\n        p = p - h.lr * u"),
    ),
    "nesterov_forgotten": nesterov(
        "plain momentum in the place of Nesterov's [a flag without effect]",
        ("(g + h.momentum * u)", "u"),
    ),
    "nesterov_looks_ahead_with_old_buffer": nesterov(
        "the look-ahead uses the velocity before this step [state read before it was written]",
        ("(g + h.momentum * u)", "(g + h.momentum * s.u)"),
    ),
    "perceptron_corrects_always": example_perceptron(
        "every example is corrected, not the mistakes alone "
        "[Hebb's rule in the perceptron's place]",
        ("np.where(mistake, p + h.lr * y * x, p)", "p + h.lr * y * x"),
    ),
    "perceptron_response_missing": example_perceptron(
        "a mistake adds the input, whichever its class [a label of 0 or 1 taken for -1 or 1]",
        ("h.lr * y * x", "h.lr * x"),
    ),
    "perceptron_tie_left_alone": example_perceptron(
        "a score of zero counts as right, so that p = 0 never learns [a strict comparison]",
        ("score <= 0", "score < 0"),
        check="update_alone",
        computes="perceptron with a score of zero is left alone",
    ),
    "polyak_ruppert_average_of_the_last_points": polyak_ruppert(
        "the average takes up p before the step [state read before it was written]",
        ("p = p - h.lr / t**h.power * g", "before, p = p, p - h.lr / t**h.power * g"),
        ("(p - s.average) / (t", "(before - s.average) / (t"),
    ),
    "polyak_ruppert_count_ahead": polyak_ruppert(
        "the number of points averaged is one too large [pytorch/vision#4544]",
        ("/ (t - h.start)", "/ (t - h.start + 1)"),
    ),
    "robbins_monro_target_ignored": robbins_monro(
        "the root is that of the response, not of its distance from the target "
        "[an argument without effect]",
        ("(g - h.target)", "g"),
        check="combinations",
    ),
    "schedule_free_adamw_decay_at_z": schedule_free_adamw(
        "the decay is that of z, not of the point where the gradient is [a variable mixed up]",
        ("h.weight_decay * p", "h.weight_decay * s.z"),
    ),
    "schedule_free_sgd_averages_the_new_z": schedule_free_sgd(
        "the average takes up z after the step, which is counted twice "
        "[state written before it was read]",
        ("c * s.z", "c * z"),
    ),
    "sgd_dampened_first_step": sgd(
        "the first gradient is dampened [pytorch/pytorch: dampening at the first step]",
        ('t == 1 and h.first_step == "copy"', "False"),
        check="full_range",
        computes="sgd with first gradient dampened as any other",
    ),
    "sgd_dampening_ignored": sgd(
        "every step counts as the first, which is not dampened "
        "[open-lm-engine/accelerated-model-architectures#436]",
        ("(1 - h.dampening) * scaled", "scaled"),
    ),
    "sgd_decay_ignored_without_momentum": sgd(
        "weight decay ignored where momentum is zero "
        "[chainer and torch7: an early return before the decay]",
        ("g + h.weight_decay * p", "g + (h.weight_decay if h.momentum > 0 else 0.0) * p"),
    ),
    "sgd_lr_in_buffer": sgd(
        "the buffer holds lr times the gradients [libraries differ: TensorFlow, against PyTorch]",
        ('g if h.momentum_form == "lr_outside" else -(h.lr * g)', "-(h.lr * g)"),
        ('p - h.lr * move if h.momentum_form == "lr_outside" else p + move', "p + move"),
        computes="sgd with lr multiplies the gradient as it enters the momentum buffer",
    ),
    "sgd_previous_update_without_momentum": sgd(
        "a tensor without momentum moves by the buffer left from before "
        "[bitsandbytes-foundation/bitsandbytes#2079]",
        ("np.where(h.momentum > 0, b, scaled)", "np.where(h.momentum > 0, b, s.b)"),
    ),
    "signsgd_decay_ignored": fault(
        "signsgd",
        "sign",
        "weight decay is accepted and not applied [kozistr/pytorch_optimizer#517]",
        ("update + h.weight_decay * p", "update"),
    ),
    "signum_sign_of_the_gradient": fault(
        "signum",
        "sign",
        "the sign is that of the gradient, not of its average [a variable mixed up]",
        ("np.sign(m)", "np.sign(g)"),
    ),
}
