"""A final as `promote` leaves it, without Ray: simulated reports, real weights, real files, one real reading of the test split."""

from pathlib import Path

from pictures import CPU
from sweeps import START, by_quality, flat_cost, make_sweep

from results.history import History
from results.storage import Storage
from search_spaces.final_options import FinalOptions
from search_spaces.sweep import ResourceOptions
from trainable.config.train import TrainConfig
from trainable.data.resident import resident
from trainable.final.finish import RUN, finish
from trainable.training import Training
from tuner import final_plan, finals, ray_test, stages
from tuner.session import hold
from tuner.simulate import simulate

EPOCHS = 3


def finished_sweep(where: Path | Storage) -> Storage:
    """Store a finished sweep over the digits, below a folder or on a storage of its own, and return its folder."""
    sweep = make_sweep(
        name="tiny",
        data={"name": "digits", "validation": 200, "train_examples": 600},
        trial={
            "model": {"family": "resnet", "blocks": [1], "channels": 8},
            "lr": {"loguniform": [3e-2, 1e-1]},
            "schedule": "cosine",
            "augment": {"crop": 1},
            "batch_size": 32,
            "precision": "float32",
        },
        scheduler={"none": {"max_epochs": 2}},
        trials=2,
    )
    place = where if isinstance(where, Storage) else Storage(where / "runs" / "tiny")
    with hold(sweep, place, source=None, cost=flat_cost) as session:
        session.start(1)
        simulate(session.search, by_quality(1), num_workers=1, start_s=START)
    return place


def delivered(place: Storage, trial: str = "t00001", *, train_on: str = "train", seed: int = 0, epochs: int = EPOCHS) -> Storage:
    """Promote a trial of `finished_sweep` by hand and return the final's folder."""
    from results import journal
    from tuner.session import stored

    sweep, history = stored(place), History.of(journal.read(place))
    options = FinalOptions.model_validate({"epochs": epochs, "train_on": train_on, "seeds": [seed]})
    plan = final_plan.plan(sweep, history.trials[trial], options, ResourceOptions())
    final = finals.place_of(place, plan)
    with hold(stages.begin(plan, final, 0), final, source=None, cost=flat_cost) as session:
        session.start(1)
        simulate(session.search, by_quality(1), num_workers=1, start_s=START)
        (run,) = stages.trained(session.search.history)
        config = TrainConfig.model_validate(run.config)
        training = Training(config, resident(config.data, CPU), CPU)
        for _ in range(epochs):
            training.train_epoch()
        export = f"trials/{run.trial}/export"
        exported = finish(training, final.path(export))
        final.publish(export, last=RUN)
        order = ray_test.TestOrder(
            root=final.address, configs={run.trial: run.config}, weights={run.trial: exported.weights}, chosen=run.trial
        )
        record = ray_test._test(order, 1)
        assert isinstance(record, dict), record
        session.search.record(*finals.tested(final, session.search.history, record))
        finals.finish(plan, final, session.search.history, history)
    return final
