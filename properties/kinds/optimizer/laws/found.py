"""The laws of a rule of one's own: those that it declares, else those that its lines obey.

Sought are the laws that every rule is asked about; those of single families hold of strangers for
no reason. A law that is only found to hold may fail somewhere else. So it is claimed of a kernel in
those cases alone in which the definition obeys it: what is compared there follows from it.
"""

import zlib
from dataclasses import replace
from typing import cast

from truestep.fast.protocol import OptimizerBackend, OptimizerCapability
from truestep.properties.arithmetic.decision import Undecided
from truestep.properties.judge.calls import BackendFault
from truestep.properties.judge.results import SLACK
from truestep.properties.judge.tally import Tally
from truestep.properties.kinds.optimizer.cases import OptimizerCase
from truestep.properties.kinds.optimizer.laws.bench import Bench
from truestep.properties.kinds.optimizer.laws.checks import askable, claimed, strategy, trial_of
from truestep.properties.kinds.optimizer.laws.definitions import Backend
from truestep.properties.kinds.optimizer.laws.laws import COMMON, LAWS
from truestep.properties.kinds.optimizer.laws.needs import need
from truestep.properties.kinds.optimizer.laws.table import OWN, form
from truestep.properties.laws.entries import Holds, obeys
from truestep.properties.laws.own import declared
from truestep.properties.search.exploration import explore
from truestep.reference import own
from truestep.reference.optimizers import OPTIMIZERS

_DEFINITIONS = cast(OptimizerBackend, Backend())
# Cases in which a law is tried before it is asked of kernels: most that fail do in the first.
_TRIED = 5


def find_laws(capability: OptimizerCapability) -> None:
    """Have the table know the laws of a capability's rule and dialect, if the rule is one's own."""
    rule, key = capability.rule, form(capability)
    if rule not in own.OWN or key in OWN:
        return
    told = declared(rule, OPTIMIZERS[rule], LAWS)
    if told is None:
        plain = OptimizerCapability(
            rule=rule, dialect=capability.dialect, fixed=capability.fixed, shapes=capability.shapes
        )
        told = [law for law in COMMON if _obeyed(_defining(plain), law)]
    OWN[key] = dict(obeys(*told))


def claimable(capability: OptimizerCapability, law: str, case: OptimizerCase) -> bool:
    """Whether a law may be claimed in this case: of one that was found, if the definition obeys."""
    rule = capability.rule
    if rule not in own.OWN or hasattr(OPTIMIZERS[rule], "LAWS"):
        return True
    subject = _defining(capability)
    try:
        found = claimed(Bench(_DEFINITIONS, subject), law, trial_of(subject, law, case))
    except Undecided:
        return False
    return all((one.judgement.utilisation or 0.0) <= SLACK for one in found)


def _defining(capability: OptimizerCapability) -> OptimizerCapability:
    """The definition as a kernel that rounds nothing."""
    return replace(capability, format="float64", arithmetic="oracle", variant="")


def _obeyed(capability: OptimizerCapability, law: str) -> bool:
    """Whether the definition obeys a law in some drawn cases, and is seen to."""
    if need(law).void(capability.rule) or not askable(capability, law, Holds()):
        return False

    def judge(case: OptimizerCase, tally: Tally) -> None:
        try:
            found = claimed(Bench(_DEFINITIONS, capability), law, trial_of(capability, law, case))
        except Undecided:
            return
        except Exception as error:  # it speaks of what this rule does not have
            raise BackendFault(str(error)) from error
        tally.add(case, found, None)

    tally = explore(
        strategy(capability, law), judge, examples=_TRIED, seed=zlib.crc32(law.encode()),
        started=lambda _: None, simplified=False,
    )  # fmt: skip
    return not tally.failed and tally.judged > 0
