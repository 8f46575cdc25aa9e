"""A sweep at toy size: the same structure, few images, one rung. What breaks late in a long sweep breaks here within minutes."""

import math
from typing import Any

from search_spaces.checks import FIRST_EPOCHS
from search_spaces.final_options import ConfirmOptions, FinalOptions, GateOptions
from search_spaces.scheduler_options import RULES, HyperbandOptions, SchedulerOptions
from search_spaces.settings import highest
from search_spaces.space import Space
from search_spaces.sweep import BudgetOptions, Sweep
from trainable.config.train import TrainConfig

SUFFIX = "-smoke"
TRIALS = 4
VALIDATION = 50  # images
LEAST_TRAIN = 64  # images


def small(sweep: Sweep) -> Sweep:
    """Return the sweep with as few images, trials and epochs as still go through all of its parts.

    Networks, batch sizes, optimizers and the kind of scheduler stay: a batch that does not fit the memory fails here as well. The budget
    goes, since it could end the sweep before its second rung. Its name ends in -smoke, so that nothing of the real sweep is touched.

    Args:
        sweep: Any valid sweep.

    Returns:
        Another valid sweep: at most 4 trials of 2 epochs (or one more than the warm-up), one rung behind epoch 1, one final with one
        seed, or two where they are put together.
    """
    space = Space.parse(sweep.trial)
    epochs = max(2, math.floor(_highest(space, "warmup_epochs")) + 1)
    num_train = max(LEAST_TRAIN, math.ceil(_highest(space, "batch_size") or TrainConfig.model_fields["batch_size"].default))
    given = sweep.data.train_examples
    final = sweep.final and _short(sweep.final, epochs)
    return sweep.model_copy(
        update={
            "name": sweep.name[: 100 - len(SUFFIX)] + SUFFIX,
            "data": sweep.data.model_copy(update={"train_examples": min(num_train, given or num_train), "validation": VALIDATION}),
            "search": sweep.search.model_copy(update={"trials": min(TRIALS, sweep.search.trials or TRIALS), "transfer": ()}),
            "scheduler": sweep.scheduler.model_copy(update=_one_rung(sweep.scheduler, epochs)),
            "budget": BudgetOptions(),
            "final": final,
        }
    )


def _short(final: FinalOptions, epochs: int) -> FinalOptions:
    """Return the options of one short final, with as many stages; the gates, which nothing trained so shortly meets, are left open."""
    stages = tuple(
        stage.model_copy(update={"epochs": epochs, "search": stage.search and stage.search.model_copy(update={"trials": 2})})
        for stage in final.stages
    )
    changes = {
        "top": 1,
        "epochs": None if stages else epochs,
        "seeds": (0, 1) if final.ensemble else (0,),  # one network is no ensemble
        "stages": stages,
        "confirm": final.confirm and ConfirmOptions(top=2, seeds=1),
        "gates": GateOptions(),
    }
    return final.model_copy(update=changes)


def _one_rung(scheduler: SchedulerOptions, epochs: int) -> dict[str, Any]:
    """Return the scheduler's only rule with one rung, behind the first epoch."""
    name = next(name for name in RULES if getattr(scheduler, name) is not None)
    changes: dict[str, Any] = {"max_epochs": epochs}
    if name in FIRST_EPOCHS:
        changes[FIRST_EPOCHS[name]] = 1
    if isinstance(scheduler.rule, HyperbandOptions):
        changes["brackets"] = None
    return {name: scheduler.rule.model_copy(update=changes)}


def _highest(space: Space, path: str) -> float:
    """Return the largest value that any candidate has at a path; 0 where the sweep does not name it."""
    return max((highest(setting) for setting in space.settings if setting.path == path), default=0.0)
