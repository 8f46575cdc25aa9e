"""A winner's recipe, re-derived for a final: which runs, of which length, from which weights, and what has changed. Pure: nothing is read.

A final is one sweep over its seeds, or several that follow each other (`final.stages`). Every stage but the last lies in
`stages/01`, `stages/02`, ... below the final's folder; the last one, or the only one, is the final's own journal.
"""

import hashlib
import json
import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from results.history import TrialRecord
from search_spaces.errors import dotted
from search_spaces.final_checks import PICKERS
from search_spaces.final_options import FinalOptions, StageSearch
from search_spaces.overrides import changed
from search_spaces.refusals import explained
from search_spaces.space import Space, merged
from search_spaces.sweep import ResourceOptions, Sweep
from search_spaces.trial_fields import ELSEWHERE
from trainable.config.train import TrainConfig
from tuner.errors import UsageError


@dataclass(frozen=True, slots=True)
class FinalPlan:
    """What one promotion will train.

    Attributes:
        sweep: The sweep that found the trial.
        record: The trial.
        options: Length, seeds, overrides, stages.
        resources: What one run holds.
        contents: Stage -> its recipe as plain data, without seed and initial weights.
        seeds: Ascending; one line of runs each.
        name: The final's folder; equal for equal promotions.
    """

    sweep: Sweep
    record: TrialRecord
    options: FinalOptions
    resources: ResourceOptions
    contents: tuple[Mapping[str, Any], ...]
    seeds: tuple[int, ...]
    name: str

    @property
    def num_stages(self) -> int:
        """Return the stages, >= 1."""
        return len(self.contents)

    @property
    def epochs(self) -> int:
        """Return the epochs of one line of runs, all stages together."""
        return sum(int(content["max_epochs"]) for content in self.contents)

    @property
    def epochs_in_all(self) -> int:
        """Return the epochs of all runs, candidates of searches within stages included."""
        searches = [stage.search for stage in self.options.stages] or [None]
        runs = (search.trials if search else 1 for search in searches)
        return len(self.seeds) * sum(int(content["max_epochs"]) * number for content, number in zip(self.contents, runs, strict=True))

    def folder(self, number: int) -> str:
        """Return where a stage's journal lies, relative to the final's folder; empty for the last one, which is the final's own."""
        return "" if number == self.num_stages - 1 else f"stages/{number + 1:02d}"

    def stage(self, number: int, *, seeds: Sequence[int] | None = None, initial: str | None = None) -> Sweep:
        """Return the sweep of one stage.

        Args:
            number: The stage, 0-based.
            seeds: The seeds whose runs came so far; all by default.
            initial: Fingerprint of the weights that the stage before has left; None for the first.
        """
        content = dict(self.contents[number])
        alive = list(self.seeds if seeds is None else seeds)
        tree = {name: value for name, value in content.items() if name not in ELSEWHERE}
        tree["seed"] = alive[0] if len(alive) == 1 else {"choice": alive}
        if initial is not None:
            tree["initial"] = initial
        search: dict[str, Any] = {"sampler": "grid"}
        if self.options.stages and (options := self.options.stages[number].search) is not None:
            tree = merged(tree, nested(options.parameters))
            search = {"sampler": "listed", "configurations": self._drawn(number, options, alive)}
        return Sweep.model_validate(
            {
                "name": self.name if number == self.num_stages - 1 else f"{self.name}-stage{number + 1}",
                "seed": self.sweep.seed,
                "data": content["data"],
                "objective": self.sweep.objective.model_dump(),
                "trial": tree,
                "search": search,
                "scheduler": {"none": {"max_epochs": content["max_epochs"]}},
                "resources": self.resources.model_dump(),
            }
        )

    def _drawn(self, number: int, options: StageSearch, seeds: Sequence[int]) -> list[dict[str, Any]]:
        """Return the candidates of a stage's search: the same draws for each seed."""
        space = Space.parse(nested(options.parameters))
        rng = random.Random(f"{self.sweep.seed}/{self.name}/{number}")
        draws = [space.sample(rng) for _ in range(options.trials)]
        return [{"seed": seed, **draw} if len(seeds) > 1 else dict(draw) for seed in seeds for draw in draws]


def plan(sweep: Sweep, record: TrialRecord, options: FinalOptions, resources: ResourceOptions) -> FinalPlan:
    """Return what the promotion of one trial will train.

    The schedule is re-derived: a run's `max_epochs` is its horizon, so a cosine ends at its last epoch.

    Raises:
        UsageError: An override does not fit the recipe, or something is to pick an epoch where no image is left to pick it by.
    """
    config = TrainConfig.model_validate(record.config)
    lengths = [stage.epochs for stage in options.stages] or [options.epochs or sweep.max_epochs]
    contents = []
    for number, epochs in enumerate(lengths):
        overrides = dict(options.overrides)
        if options.stages:
            overrides |= options.stages[number].overrides
            if number < len(lengths) - 1 and options.train_on == "train":
                overrides.setdefault("keep_best", True)  # what the next stage starts from
        contents.append(_content(config, record, overrides, options, epochs))
    _refuse_pickers(record, contents, options)
    seeds = tuple(sorted(set(options.seeds or [config.seed])))
    return FinalPlan(sweep, record, options, resources, tuple(contents), seeds, _name(record, contents, seeds, options))


def changes(plan: FinalPlan, number: int = 0) -> list[str]:
    """Return what a stage's recipe has that the trial's has not, a line each, ready for people; the length first.

    A learning rate that follows neither the batch size nor the length is said to stay: nothing about it is silent.
    """
    before = TrainConfig.model_validate(plan.record.config)
    after = TrainConfig.model_validate({**plan.contents[number], "seed": before.seed})
    searched = _searched(plan, number)
    told = [_length(before, after, searched)]
    if number:
        told.append(f"starts from the {'last' if after.data.train_on == 'all' else 'best'} weights of stage {number}, with a new optimizer")
    old, new = _flat(before), _flat(after)
    told += [
        f"{path} {_shown(old.get(path))} -> {_shown(new.get(path))}"
        for path in dict.fromkeys([*old, *new])
        if old.get(path) != new.get(path) and path not in {"max_epochs", "data.train_on", *searched}
    ]
    if after.data.train_on == "all":
        told.append("learns from the validation images, too: nothing picks an epoch or a seed, the last weights of the first seed count")
    images = _ratio(before, after)
    if images != 1 and before.lr == after.lr and "lr" not in searched:
        told.append(
            f"lr stays {before.lr:g}, though a step has {images:g} times the images; the linear rule makes it {before.lr * images:g}, the "
            f"square root {before.lr * images**0.5:.3g}: final.lr_scaling, or -s lr=..."
        )
    return told


def nested(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return dotted paths as a tree."""
    tree: dict[str, Any] = {}
    for path, value in parameters.items():
        *parents, name = path.split(".")
        change: dict[str, Any] = {name: value}
        for parent in reversed(parents):
            change = {parent: change}
        tree = merged(tree, change)
    return tree


def _content(config: TrainConfig, record: TrialRecord, overrides: Mapping[str, Any], options: FinalOptions, epochs: int) -> dict[str, Any]:
    """Return the recipe of one stage, checked."""
    content = changed(config, overrides) | {"max_epochs": epochs}
    content["data"] = {**content["data"], "train_on": options.train_on}
    try:
        found = TrainConfig.model_validate(content)
        if options.lr_scaling != "none" and "lr" not in overrides:
            ratio = _ratio(config, found)
            content["lr"] = config.lr * (ratio if options.lr_scaling == "linear" else ratio**0.5)
            found = TrainConfig.model_validate(content)
    except ValidationError as error:
        reasons = "; ".join(f"{dotted(one.path)}: {one.seen}, {one.required}" for one in explained(error, TrainConfig, content, ()))
        raise UsageError(f"the overrides do not fit trial {record.trial}: {reasons}") from error
    return found.model_dump(mode="json", exclude_none=True)


def _refuse_pickers(record: TrialRecord, contents: Sequence[Mapping[str, Any]], options: FinalOptions) -> None:
    """Raise where an epoch, or a candidate of a stage, would be picked by images that were learned from."""
    if options.train_on == "train":
        return
    for content in contents:
        for name, off in PICKERS.items():
            if content[name]:
                raise UsageError(
                    f"{name} is {json.dumps(content[name])} in the recipe of {record.trial}, must be {json.dumps(off)} with "
                    f"final.train_on: all, which leaves no image to pick an epoch by; add -s {name}={json.dumps(off)}, or train_on: train"
                )
    if any(stage.search for stage in options.stages):
        raise UsageError("final.stages has a search, must have none with final.train_on: all, which leaves no image to choose by")


def _name(record: TrialRecord, contents: Sequence[Mapping[str, Any]], seeds: Sequence[int], options: FinalOptions) -> str:
    parts: list[Any] = []
    for content in contents:
        tree = {name: value for name, value in content.items() if name not in ELSEWHERE}
        tree["seed"] = seeds[0] if len(seeds) == 1 else {"choice": list(seeds)}
        parts += [tree, content["max_epochs"], content["data"]]
    parts += [stage.search.model_dump(mode="json") for stage in options.stages if stage.search]
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:6]
    return f"{record.trial}-{sum(content['max_epochs'] for content in contents)}ep-{digest}"


def _searched(plan: FinalPlan, number: int) -> set[str]:
    """Return the paths that a stage searches."""
    search = plan.options.stages[number].search if plan.options.stages else None
    return set() if search is None else set(search.parameters)


def _length(before: TrainConfig, after: TrainConfig, searched: Collection[str]) -> str:
    if before.max_epochs == after.max_epochs:
        return f"{after.max_epochs} epochs, as in the search; {after.schedule} schedule"
    derived = "" if after.schedule == "constant" else f"; the {after.schedule} schedule is derived anew for them"
    stays = f"; lr stays {after.lr:g}" if after.lr == before.lr and "lr" not in searched else ""
    return f"epochs {before.max_epochs} -> {after.max_epochs}{derived}{stays}"


def _ratio(before: TrainConfig, after: TrainConfig) -> float:
    """Return how many times the images of a step there are."""
    return after.batch_size * after.accumulation / (before.batch_size * before.accumulation)


def _flat(config: TrainConfig) -> dict[str, Any]:
    return dict(_leaves(config.model_dump(mode="json", exclude_none=True), ""))


def _leaves(content: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in content.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _shown(value: Any) -> str:
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else json.dumps(value) if value is not True else "true"
