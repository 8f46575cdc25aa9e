"""What can go wrong while a sweep runs, classed by what the operator does next.

TunerError
├── UsageError          the call is wrong: mend it                                      exit 2
├── ClusterUnreachable  the Ray cluster does not answer: mend the address or the token  exit 4
├── GateRefused         a trial does not meet a gate: choose another, or confirm it     exit 3
└── SweepFailed         the sweep ran and could not be finished                         exit 1
    └── MostFailed      more than half of the trials failed                             exit 1
"""


class TunerError(Exception):
    """Base of everything that `tuner` raises on purpose; the message says what was seen and what to do."""

    exit_code = 1


class UsageError(TunerError):
    """The command cannot mean what was typed."""

    exit_code = 2


class ClusterUnreachable(TunerError):
    """No Ray cluster answers at the address."""

    exit_code = 4


class GateRefused(TunerError):
    """A gate of `final.gates` is not met; nothing was trained."""

    exit_code = 3


class SweepFailed(TunerError):
    """The sweep cannot go on."""


class MostFailed(SweepFailed):
    """More than half of the trials failed, so that the others would, too."""
