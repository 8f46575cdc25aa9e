"""Trials that do nothing, through Ray: by our driver, and by plain Ray Tune. `driver_scale` runs each in a process of its own."""

import itertools
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.driver_scale import COST, quality, sweep
from tuner import ray_cluster, slots

MIN_EPOCHS, MAX_EPOCHS, ETA = 1, 9, 3
EPOCH_S = float(os.environ.get("TRIVIAL_EPOCH_S", "0.001"))  # workers inherit it


def run(side: str, trials: int, *, slots: int) -> dict[str, float]:
    """Return what one side did.

    Returns:
        `wall_s` without Ray's own start and end; `start_s` of it until the first result; `actors` created; `epochs`; `utilisation`, the
        share of the workers' time after the first result that was slept in epochs.
    """
    with tempfile.TemporaryDirectory() as folder:
        ray_cluster.connect("local", num_cpus=slots, token=Path(folder) / "token")
        results: list[float] = []  # when each was heard of
        started = time.perf_counter()
        epochs = (
            _ours(Path(folder), trials, slots, results)
            if side == "ours"
            else _peer(Path(folder), trials, results, reuse=side == "peer-reuse")
        )
        wall_s = time.perf_counter() - started
        start_s = results[0] - started
        actors = len(list(Path(folder).glob("actor-*")))
        utilisation = epochs * EPOCH_S / ((wall_s - start_s) * slots)
        found = {"wall_s": wall_s, "start_s": start_s, "actors": actors, "epochs": epochs, "utilisation": utilisation}
        return found | _switches(Path(folder), slots)


def _mark(folder: str) -> None:
    """Leave a trace of an actor that was created."""
    Path(folder, f"actor-{os.getpid()}").touch()


def _note(folder: str, began: float, first: bool) -> None:
    """Leave a trace of an epoch that was trained: when it began, when it ended, whether it was its segment's first."""
    with Path(folder, f"epochs-{os.getpid()}").open("a") as file:
        file.write(f"{began} {time.time()} {int(first)}\n")


def _switches(folder: Path, slots: int) -> dict[str, float]:
    """Return the seconds from one segment's last epoch to the next one's first on the same worker, and what slots idled per segment.

    A worker that is replaced has no next segment, so the first figures are blind to it, and missing where each is; the last one counts
    the time of its successor's start, too. It is counted from the first epoch of all to the last.
    """
    workers = [[tuple(map(float, line.split())) for line in path.read_text().splitlines()] for path in folder.glob("epochs-*")]
    gaps = sorted(after[0] - before[1] for epochs in workers for before, after in itertools.pairwise(epochs) if after[2])
    everything = [epoch for epochs in workers for epoch in epochs]
    span_s = max(end for _, end, _ in everything) - min(began for began, _, _ in everything)
    trained_s = sum(end - began for began, end, _ in everything)
    segments = sum(first for *_, first in everything)
    found = {"segments": segments, "idle_s_per_segment": (span_s * slots - trained_s) / segments}
    if not gaps:
        return found
    return found | {
        "gap_median_s": statistics.median(gaps),
        "gap_99th_s": gaps[int(0.99 * (len(gaps) - 1))],
        "gap_largest_s": gaps[-1],
        "gaps_within_0.2_s": sum(gap <= 0.2 for gap in gaps) / len(gaps),
    }


def _ours(folder: Path, trials: int, num_slots: int, results: list[float]) -> int:
    """Run the production driver, its journal and lock included; only the trainable is another."""
    from ray import tune

    from results.events import DriverStarted, stamp
    from results.storage import Storage
    from trainable.metrics import EpochMetrics
    from tuner.ray_driver import drive
    from tuner.ray_trial import EpochTrained
    from tuner.session import hold

    class TrivialTrial(tune.Trainable):
        def setup(self, config: dict[str, Any]) -> None:
            _mark(config["order"]["root"] + "/..")
            self._epoch: int | None = None

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            self._epoch = None
            return True

        def step(self) -> dict[str, Any]:
            order, began, first = self.config["order"], time.time(), self._epoch is None
            self._epoch = (order["from_epoch"] if self._epoch is None else self._epoch) + 1
            time.sleep(EPOCH_S)
            _note(order["root"] + "/..", began, first)
            metrics = EpochMetrics(
                epoch=self._epoch, val_accuracy=quality(int(order["trial"][1:])), val_loss=1.0, train_accuracy=0.5, train_loss=1.0, lr=0.1,
                wall_s=EPOCH_S, device_s=EPOCH_S, images_per_s=1.0, peak_memory_bytes=0,
            )  # fmt: skip
            return {"outcome": EpochTrained(metrics=metrics, checkpoint=None, worker="host:1", device="cpu")}

    def heard(number: int, trial: str) -> None:
        results.append(time.perf_counter())
        session.after_report(trial)

    options = sweep(trials, {"asha": {"min_epochs": MIN_EPOCHS, "max_epochs": MAX_EPOCHS, "eta": ETA, "variant": "stopping"}})
    with hold(options, Storage(folder / "scale"), source=None, cost=lambda config: COST) as session:
        session.search.record(DriverStarted(at=stamp(time.time()), host="", pid=0, slots=num_slots))
        drive(
            [session.search],
            [session.storage],
            slots.Slots(count=num_slots, cpus=1, gpus=0.0),
            export=False,
            on_report=heard,
            on_tick=lambda: None,
            trainable_class=TrivialTrial,
        )
        assert len(session.search.history.trials) == trials
        return session.search.budget.epochs


def _peer(folder: Path, trials: int, results: list[float], *, reuse: bool) -> int:
    """Run plain Ray Tune: a function of its API for each part, loggers off as ours are."""
    import logging

    from ray import tune
    from ray.tune.schedulers import ASHAScheduler

    class TrivialTrial(tune.Trainable):
        def setup(self, config: dict[str, Any]) -> None:
            _mark(config["folder"])
            self._epoch = 0

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            self._epoch = 0
            return True

        def step(self) -> dict[str, Any]:
            began = time.time()
            self._epoch += 1
            time.sleep(EPOCH_S)
            _note(self.config["folder"], began, self._epoch == 1)
            return {"score": quality(self.config["number"]), "epoch": self._epoch}

    class Heard(tune.Callback):
        def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any) -> None:
            results.append(time.perf_counter())

    logging.getLogger("ray.tune").setLevel(logging.ERROR)
    grid = tune.Tuner(
        tune.with_resources(TrivialTrial, {"cpu": 1}),
        param_space={"folder": str(folder), "number": tune.grid_search(list(range(1, trials + 1)))},
        tune_config=tune.TuneConfig(
            metric="score",
            mode="max",
            scheduler=ASHAScheduler(time_attr="epoch", max_t=MAX_EPOCHS, grace_period=MIN_EPOCHS, reduction_factor=ETA),
            reuse_actors=reuse,
        ),
        run_config=tune.RunConfig(
            storage_path=str(folder / "ray"),
            verbose=0,
            stop={"epoch": MAX_EPOCHS},
            callbacks=[Heard()],
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
        ),
    ).fit()
    return sum(result.metrics["epoch"] for result in grid if result.metrics)


if __name__ == "__main__":
    print(json.dumps(run("ours", 100, slots=2)))
