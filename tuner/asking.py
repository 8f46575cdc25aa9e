"""See to it that a request is obeyed: by the driver at work, wherever it runs, or by this process where there is none."""

import time
from enum import Enum

from results import journal, lock
from results.errors import Locked
from results.events import Asked, StopRequested
from results.history import History
from results.storage import Storage
from tuner import requests
from tuner.errors import UsageError
from tuner.session import obey_alone, stored

PATIENCE_S = 15.0  # a driver looks once a second, but not while it connects to a cluster
_LOOK_S = 0.1


class Outcome(Enum):
    """What became of a request."""

    obeyed_by_driver = "obeyed by the driver at work"
    obeyed_here = "obeyed by this process"
    left = "left for the driver, which has not looked yet"


def ask(storage: Storage, asked: Asked) -> Outcome:
    """Have a request obeyed, once, and return by whom.

    Raises:
        UsageError: It cannot be obeyed; nothing was changed.
    """
    for_the_driver = isinstance(asked, StopRequested) and not asked.trials
    if not for_the_driver:  # refused here, where it can be, rather than by the driver
        requests.facts(History.of(journal.read(storage)), stored(storage), asked, time.time())
    sent = False
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if lock.holder(storage) is None and not (sent and not requests.is_waiting(storage, asked)):
            if for_the_driver:
                requests.withdraw(storage, asked)
                raise UsageError(f"{storage}: no driver is at work, there is nothing to stop; see: shortlist status {storage}")
            try:
                obey_alone(storage, asked)
            except Locked:  # a driver has started meanwhile, or another command is at it
                continue
            return Outcome.obeyed_here
        if not sent:
            requests.send(storage, asked)
            sent = True
        if not requests.is_waiting(storage, asked):
            if (reason := requests.answer(storage, asked)) is not None:
                raise UsageError(reason)
            return Outcome.obeyed_by_driver
        time.sleep(_LOOK_S)
    return Outcome.left
