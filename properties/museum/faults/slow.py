"""Faults in rules with a slow point that follows the parameter."""

from functools import partial

from truestep.properties.museum.fault import Fault, fault

lookahead = partial(fault, "lookahead", "averaging")
ranger = partial(fault, "ranger", "averaging")

MEAN = "slow = new = (1 - h.alpha) * start + h.alpha * fast"
SLOW = "slow = (1 - h.alpha) * s.slow + h.alpha * fast"

SLOW_POINTS: dict[str, Fault] = {
    "lookahead_alpha_turned_round": lookahead(
        "the fast point is weighed by its complement [arguments in another order]",
        (MEAN, "slow = new = h.alpha * start + (1 - h.alpha) * fast"),
    ),
    "lookahead_begins_with_a_slow_step": lookahead(
        "the first of k steps is the slow one [counting from zero]",
        ('if (t if h.sync == "last" else s.t) % h.k:', "if s.t % h.k:"),
    ),
    "lookahead_decay_of_the_slow_point": lookahead(
        "the decay is of the slow point [a variable mixed up]",
        ("h.weight_decay * p", "h.weight_decay * s.slow"),
    ),
    "lookahead_every_step_is_slow": lookahead(
        "every step is a slow one [a condition dropped]",
        ('if (t if h.sync == "last" else s.t) % h.k:', "if False:"),
    ),
    "lookahead_fast_point_goes_on": lookahead(
        "the parameter does not return to the slow point [half of a line]",
        (MEAN, "slow = (1 - h.alpha) * start + h.alpha * fast; new = fast"),
    ),
    "lookahead_k_and_one": lookahead(
        "there are k + 1 fast steps to a slow one [counting from zero]",
        (") % h.k:", ") % (h.k + 1):"),
    ),
    "lookahead_momentum_reset_in_every_step": lookahead(
        "fast steps have no momentum either [lines in another order]",
        ("h.momentum * s.b + g", "h.momentum * s.b * (h.k == 1) + g"),
    ),
    "lookahead_never_slow": lookahead(
        "no step is a slow one [a branch dropped]",
        ('if (t if h.sync == "last" else s.t) % h.k:', "if True:"),
    ),
    "lookahead_reset": lookahead(
        "the momentum is lost in a slow step [two conventions]",
        ('elif h.pullback == "reset":', "else:"),
        computes="lookahead with the momentum zero after a slow step",
    ),
    "lookahead_slow_point_of_the_old_parameter": lookahead(
        "the last fast step is not part of the mean [state read before it was written]",
        ("+ h.alpha * fast", "+ h.alpha * p"),
    ),
    "lookahead_slow_point_not_stored": lookahead(
        "the slow point stays where it was [state not written back]",
        ("slow=slow, slow_b", "slow=start, slow_b"),
    ),
    "ranger_alpha_turned_round": ranger(
        "the fast point is weighed by its complement [arguments in another order]",
        (SLOW, "slow = h.alpha * s.slow + (1 - h.alpha) * fast"),
    ),
    "ranger_begins_with_a_slow_step": ranger(
        "the first of k steps is the slow one [counting from zero]", ("if t % h.k", "if s.t % h.k")
    ),
    "ranger_centralized_by_all": ranger(
        "the mean is of all elements [an axis mixed up]",
        ("axis=tuple(range(1, g.ndim))", "axis=tuple(range(0, g.ndim))"),
    ),
    "ranger_centralized_by_columns": ranger(
        "the mean is of each column [an axis mixed up]",
        ("axis=tuple(range(1, g.ndim))", "axis=tuple(range(0, g.ndim - 1))"),
    ),
    "ranger_convolutions_alone": ranger(
        "gradients of matrices are taken as they are [two conventions]",
        ('{"all": 2,', '{"all": 4,'),
        computes="ranger with gradients of four axes and more less the means of their rows",
    ),
    "ranger_decay_centralized": ranger(
        "the decay is added before the means are taken off [lines in another order]",
        ("g = centralized(h, -g if h.maximize else g)", "g = -g if h.maximize else g"),
        ("m = h.beta1 * s.m", "g = centralized(h, g); m = h.beta1 * s.m"),
        dialect={"decay": "coupled"},
    ),
    "ranger_eps_corrected": ranger(
        "eps is added after the correction [brackets in another place]",
        ("(np.sqrt(v) + h.eps)", "(np.sqrt(v) + h.eps * np.sqrt(1 - h.beta2**t))"),
    ),
    "ranger_fast_point_goes_on": ranger(
        "the parameter does not return to the slow point [half of a line]",
        ("slow=slow), slow", "slow=slow), fast"),
    ),
    "ranger_last_average": ranger(
        "the average before this step moves p [state read before it was written]",
        ("m_hat = m / (1", "m_hat = s.m / (1"),
    ),
    "ranger_not_rectified": ranger(
        "adaptive steps are not rectified [a factor forgotten]", ("r * (m_hat", "(m_hat")
    ),
    "ranger_slow_point_not_stored": ranger(
        "the slow point stays where it was [state not written back]",
        ("slow=slow), slow", "slow=s.slow), slow"),
    ),
    "ranger_uphill": ranger(
        "steps go uphill until they are adaptive [a sign]",
        ('m_hat if h.unrectified == "momentum" else', "-m_hat if True else"),
        computes="ranger with steps against the corrected first moment's until adaptive",
    ),
}
