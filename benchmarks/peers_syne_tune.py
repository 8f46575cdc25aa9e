"""Syne Tune's ASHA, BOHB and ASHA-CQR: their own decision and proposal code behind the simulator's two questions.

Hyperparameters are offered as numbers in [0, 1] on their search scale, the same that our model sees. What BOHB or ASHA-CQR proposes is
replaced by the nearest row that has no trial yet, and the peer learns from that row's own hyperparameters. Syne Tune's ASHA draws at
random: it is offered the rows in the order that all methods share. First comparison at 1/16 of a training, eta 3, Syne Tune's default.
"""

import importlib.util
import logging
import sys
import types
import warnings
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from benchmarks.curve_tables import CurveTable
from benchmarks.peers import first_rung, geometric
from search_spaces.domains import Choice


class SyneTune:
    """One of `syne_tune.optimizer.baselines`, minimising minus the score."""

    def __init__(self, kind: str, table: CurveTable, seed: int) -> None:
        _without_downloads()
        from syne_tune.backend.trial_status import Trial
        from syne_tune.config_space import choice, uniform
        from syne_tune.optimizer.baselines import ASHA, ASHACQR, BOHB

        logging.getLogger("syne_tune").setLevel(logging.ERROR)
        warnings.simplefilter("ignore", FutureWarning)  # statsmodels' own, once for every model
        np.random.seed(seed % 2**32)  # BOHB and CQR draw candidates from numpy's global generator
        self._trial_type = Trial
        self._rows = _unit_rows(table)
        self._columns = [parameter.path for parameter in table.parameters]
        self._encoded_ND = _encoded(table, self._rows)
        self._table = table
        space: dict[str, Any] = {}
        for parameter in table.parameters:
            if isinstance(parameter.domain, Choice):
                space[parameter.path] = choice([str(option.name) for option in parameter.domain.options])
            else:
                space[parameter.path] = uniform(0.0, 1.0)
        grace = first_rung(table.max_epochs)
        self.ladder: Sequence[int] | None = geometric(grace, 3, table.max_epochs)
        maker = {"asha": ASHA, "bohb": BOHB, "cqr": ASHACQR}[kind]
        self._proposes = kind != "asha"
        self._scheduler = maker(
            config_space=space,
            metric="loss",
            time_attr="epoch",
            max_t=table.max_epochs,
            do_minimize=True,
            random_seed=seed % 2**31,
            grace_period=grace,
        )
        self._trials: dict[str, Any] = {}

    def propose(self, unused: Sequence[int]) -> int:
        """Return the unused row nearest to what the peer proposes; the next one where it draws at random."""
        if not self._proposes:
            return unused[0]
        suggestion = self._scheduler.suggest()
        rows = np.array(unused)
        offset_ND = self._encoded_ND[rows] - _encode(self._table, suggestion.config)
        return int(rows[np.argmin((offset_ND**2).sum(axis=1))])

    def start(self, trial: str, row: int) -> None:
        """Add the trial, with the hyperparameters of its row."""
        self._trials[trial] = self._trial_type(
            trial_id=len(self._trials), config=self._rows[row], creation_time=datetime.fromtimestamp(0, UTC)
        )
        self._scheduler.on_trial_add(self._trials[trial])

    def goes_on(self, trial: str, epoch: int, score: float) -> bool:
        """Ask the scheduler."""
        theirs = self._trials[trial]
        answer = self._scheduler.on_trial_result(theirs, {"loss": -score, "epoch": epoch})
        if answer != "CONTINUE":
            self._scheduler.on_trial_remove(theirs)
        return bool(answer == "CONTINUE")

    def failed(self, trial: str) -> None:
        """Tell the scheduler."""
        self._scheduler.searcher.on_trial_error(self._trials[trial].trial_id)


def _without_downloads() -> None:
    """Let ASHA-CQR be imported where huggingface_hub is not installed: a package on the way downloads benchmark data with it."""
    if "huggingface_hub" not in sys.modules and importlib.util.find_spec("huggingface_hub") is None:
        absent = types.ModuleType("huggingface_hub")
        absent.snapshot_download = None  # type: ignore[attr-defined]  # a module made here
        sys.modules["huggingface_hub"] = absent


def _unit_rows(table: CurveTable) -> list[dict[str, Any]]:
    """Return each row on the search scale; what does not apply is in the middle, or the first option."""
    rows = []
    for values in table.values:
        row: dict[str, Any] = {}
        for parameter in table.parameters:
            value, domain = values.get(parameter.path), parameter.domain
            if isinstance(domain, Choice):
                row[parameter.path] = str(domain.options[0].name if value is None else value)
            else:
                row[parameter.path] = 0.5 if value is None else domain.unit(value)  # type: ignore[arg-type]  # a value is of its domain
        rows.append(row)
    return rows


def _encoded(table: CurveTable, rows: Sequence[dict[str, Any]]) -> np.ndarray:
    return np.array([_encode(table, row) for row in rows])


def _encode(table: CurveTable, row: dict[str, Any]) -> np.ndarray:
    """Return a point whose squared distances count a difference of categories as 1."""
    point: list[float] = []
    for parameter in table.parameters:
        if isinstance(parameter.domain, Choice):
            point += [0.5**0.5 * (str(option.name) == row[parameter.path]) for option in parameter.domain.options]
        else:
            point.append(row[parameter.path])
    return np.array(point)
