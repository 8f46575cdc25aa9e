"""Rules that span fields of a sweep file, and what is allowed but seldom meant.

They read the plain data, not the model, so that they speak also where something else in the file is wrong.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeGuard

from search_spaces import constraint_checks, final_checks, search_checks
from search_spaces.errors import Problem
from search_spaces.feasible_space import Feasible
from search_spaces.flatten import Flattened
from search_spaces.refusals import refusals
from search_spaces.scheduler_options import RULES, HyperbandOptions, MedianOptions, RungOptions, SchedulerOptions, early
from search_spaces.space import Space
from search_spaces.sweep import ENDLESS, METRICS, Sweep
from search_spaces.wording import listed, shown

# Rule -> its option that says when trials are compared first.
FIRST_EPOCHS = {"asha": "min_epochs", "hyperband": "min_epochs", "median": "grace_epochs"}


def problems(data: Mapping[str, Any], flattened: Flattened | None) -> list[Problem]:
    """Return every broken rule.

    Args:
        data: The file, overrides included.
        flattened: Its `trial`; None where that is no mapping.
    """
    return [
        *_objective(data.get("objective")),
        *_scheduler(data.get("scheduler")),
        *search_checks.problems(data, flattened),
        *constraint_checks.problems(data.get("constraints"), flattened),
        *_data(data.get("data")),
        *final_checks.problems(data),
    ]


def warnings(sweep: Sweep) -> list[str]:
    """Return what is allowed but seldom meant, a sentence each."""
    found = [*_unusual_rules(sweep.scheduler, sweep.search.trials), *search_checks.warnings(sweep.search, Space.parse(sweep.trial))]
    found += _too_few(sweep)
    if sweep.final is not None and sweep.final.epochs is not None and sweep.final.epochs < sweep.max_epochs:
        found.append(f"final.epochs: {sweep.final.epochs} is less than the {sweep.max_epochs} of a trial trained in full")
    if sweep.final is not None and sweep.final.confirm is None:
        asking = [
            f"gates.{name}"
            for name, needs in (("confirmed", sweep.final.gates.confirmed), ("min_margin", sweep.final.gates.min_margin))
            if needs
        ]
        found += [
            f"final.{gate}: `run` refuses to promote, as nothing confirms its leaders; add final.confirm: {{top: 3, seeds: 3}}, or give "
            f"`shortlist confirm {sweep.name}` and `shortlist promote {sweep.name}` after it"
            for gate in asking
        ]
    return found


def _too_few(sweep: Sweep) -> Iterator[str]:
    """Yield a warning where fewer candidates keep the constraints than are asked for; how many keep network limits is not counted here."""
    trials, space = sweep.search.trials, Space.parse(sweep.trial)
    if trials is None or sweep.search.sampler not in ENDLESS or not sweep.constraints.where:
        return
    left = Feasible(space, sweep, None).num_candidates()
    if left is not None and left < trials <= (space.size() or trials):
        yield f"search.trials: {trials} are asked for, but only {left} candidates keep the constraints; the sweep ends after those"


def _unusual_rules(scheduler: SchedulerOptions, trials: int | None) -> Iterator[str]:
    rule, patience = scheduler.rule, scheduler.patience
    name = next(name for name in RULES if getattr(scheduler, name) is not None)
    if isinstance(rule, RungOptions) and rule.min_epochs == 1 < rule.max_epochs:
        yield f"scheduler.{name}.min_epochs: a first rung of one epoch is a bet on noise; the default here is {early(rule.max_epochs)}"
    if isinstance(rule, MedianOptions) and trials is not None and rule.min_trials >= trials:
        yield f"scheduler.median.min_trials: {rule.min_trials} others are never reached with {trials} trials; none is stopped"
    if patience is not None and patience.epochs >= rule.max_epochs:
        yield f"scheduler.patience.epochs: {patience.epochs} of {rule.max_epochs} epochs are never waited; no trial is stopped by it"


def _objective(objective: Any) -> Iterator[Problem]:
    match objective:
        case {"metric": str(metric), "mode": "max" | "min" as mode} if metric in METRICS and METRICS[metric] != mode:
            yield Problem(
                ("objective", "mode"), f"{mode} beside {metric}", f"must be {METRICS[metric]}; leave mode out, it follows from the metric"
            )


def _scheduler(scheduler: Any) -> Iterator[Problem]:
    if not isinstance(scheduler, dict):
        return
    chosen = [name for name in RULES if scheduler.get(name) is not None]
    if len(chosen) > 1:
        yield Problem(("scheduler",), f"{' and '.join(chosen)} together", "must be one rule; remove the others")
    if not chosen and not any(isinstance(key, str) and key not in SchedulerOptions.model_fields for key in scheduler):
        seen = "no rule" if scheduler.get("patience") is None else "patience and no rule beside it"
        yield Problem(("scheduler",), seen, f"must have one of {listed(RULES)}, such as asha: {{max_epochs: 25}}")
    for name, first in FIRST_EPOCHS.items():
        options = scheduler.get(name)
        if not isinstance(options, dict):
            continue
        least, most = options.get(first), options.get("max_epochs")
        if _whole(least) and _whole(most) and least > most:
            yield Problem(("scheduler", name, first), str(least), f"must be <= max_epochs, which is {most}; lower it or raise max_epochs")
        if options.get("variant") == "stopping":
            yield from _stopping(name, options)
    yield from _brackets(scheduler.get("hyperband"))


def _stopping(name: str, options: Mapping[str, Any]) -> Iterator[Problem]:
    if options.get("delayed") is True:
        yield Problem(("scheduler", name, "delayed"), "true beside variant stopping", "must be left out; only promotion delays")
    if options.get("drain") is not None:
        seen = f"{shown(options['drain'])} beside variant stopping"
        yield Problem(("scheduler", name, "drain"), seen, "must be left out; only promotion has paused trials to go on with")


def _brackets(options: Any) -> Iterator[Problem]:
    if not isinstance(options, dict) or not _whole(brackets := options.get("brackets")) or refusals(HyperbandOptions, options):
        return
    read = HyperbandOptions.model_validate(options)
    if brackets > read.most_brackets > 0:
        steps = f"first rung {read.first_rung}, eta {read.eta}, {read.max_epochs} epochs"
        yield Problem(
            ("scheduler", "hyperband", "brackets"), str(brackets), f"must be <= {read.most_brackets} ({steps}); lower it or leave it out"
        )


def _data(data: Any) -> Iterator[Problem]:
    if isinstance(data, dict) and data.get("train_on") is not None:
        yield Problem(("data", "train_on"), shown(data["train_on"]), "must be left out; a final learns from all with final.train_on")
    match data:
        case {"name": "parquet", "path": str(path)}:
            folder = Path(path).expanduser()
            if not folder.is_dir():
                yield Problem(
                    ("data", "path"), f"{shown(path)} is not a folder here", "must hold train*.parquet; give it with -s data.path=FOLDER"
                )
            elif not any(folder.glob("train*.parquet")):
                yield Problem(
                    ("data", "path"), f"{shown(path)} holds no train*.parquet", "must hold one or more; give it with -s data.path=FOLDER"
                )
        case {"name": "parquet"} if data.get("path") is None:
            yield Problem(("data", "path"), "missing", "must be given for parquet: a folder with train*.parquet; or -s data.path=FOLDER")
        case {"name": "digits", "path": str(path)}:
            yield Problem(("data", "path"), shown(path), "must be left out; digits are embedded and read no folder")


def _whole(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)
