"""A search by `shortlist run` beside the tutorial way with Ray Tune: the same configurations, images, networks and slots, in turn.

    python -m benchmarks.tutorial_way --data FOLDER [--repeats 2] [--configurations 16] [--images 4000] [--epochs 8] [--slots 2]

FOLDER holds CIFAR-10 as Parquet (train*.parquet: an image column struct<bytes, path>, and a label). Configurations are drawn from the space
of search_spaces/cifar10_small.yaml, listed for our side, a grid search over the same list for Ray's. The tutorial side is
`tutorial_peer.py`, with no or two DataLoader processes, whichever trains the faster with as many trials at once as there are slots.

Before the clock starts each side has its images decoded: ours in its cache, the other in a file of arrays. What is timed is a process from
its start to its end, and, beside it, the search without the start of Python and Ray. Accuracies are those of 1,000 held-out images: the
best epoch of any trial, and that of the trial which the side itself would name. One seed a repeat, for both.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch

from benchmarks import records
from results import journal, ranking
from results.events import DriverStarted, DriverStopped, Reported, seconds
from results.history import History
from results.overview import overview
from results.storage import Storage
from search_spaces.load import load
from search_spaces.space import Space
from trainable.data.resident import resident
from tuner import token

SPACE = Path(__file__).parent.parent / "search_spaces" / "cifar10_small.yaml"
LOADER_WORKERS = (0, 2)


def task_of(options: argparse.Namespace, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the sweep of our side, as its file says it, and the task of the other side.

    Args:
        options: Of the command line.
        seed: Of the configurations and of every trial.
    """
    sweep = load(SPACE, [f"data.path={options.data}", f"data.train_examples={options.images}", f"data.validation={options.images // 4}"])
    space, rng = Space.parse(sweep.trial), Random(seed)
    values = [space.sample(rng) for _ in range(options.configurations)]
    written = json.loads(sweep.model_dump_json(exclude_unset=True))
    ours = {name: written[name] for name in ("version", "data", "objective", "trial")} | {
        "name": "tutorial-way",
        "seed": seed,
        "search": {"sampler": "listed", "configurations": values},
        "scheduler": {"asha": {"max_epochs": options.epochs}},
        "resources": {"gpus": 0, "cpus": 1, "workers": options.slots},
    }
    fields = ("model", "optimizer", "lr", "momentum", "weight_decay", "batch_size")
    configs = [json.loads(space.build(each, sweep.base_config()).model_dump_json()) for each in values]
    theirs = [{name: config[name] for name in fields} for config in configs]
    return ours, {"configurations": theirs, "max_epochs": options.epochs, "slots": options.slots, "seed": seed}


def arrays(options: argparse.Namespace, file: Path) -> float:
    """Write the other side's images, the very ones that ours has; return the seconds of decoding, which fills our cache."""
    sweep = load(SPACE, [f"data.path={options.data}", f"data.train_examples={options.images}", f"data.validation={options.images // 4}"])
    started = time.perf_counter()
    data = resident(sweep.data, torch.device("cpu"))
    took = time.perf_counter() - started
    np.savez(
        file,
        train_images=data.train_images_NHWC.numpy(),
        train_labels=data.train_labels_N.numpy(),
        val_images=data.val_images_NHWC.numpy(),
        val_labels=data.val_labels_N.numpy(),
    )
    return took


def faster_loader(task: Mapping[str, Any], file: Path) -> dict[str, float]:
    """Return number of loader processes -> seconds of an epoch, the mean of as many trainings at once as there are slots."""
    from benchmarks import tutorial_peer

    found = {}
    for workers in LOADER_WORKERS:
        with ProcessPoolExecutor(task["slots"], mp_context=get_context("spawn")) as pool:
            told = {**task, "folder": str(file.parent)}
            runs = [pool.submit(tutorial_peer.epoch_s, told, workers) for _ in range(task["slots"])]
            found[str(workers)] = sum(run.result() for run in runs) / len(runs)
    return found


def ours(sweep: Mapping[str, Any], folder: Path) -> dict[str, float]:
    """Run our side in a process of its own, from its start to its end."""
    file = folder / "tutorial-way.yaml"
    file.write_text(json.dumps(sweep))  # JSON is YAML
    wall_s, _ = timed("-c", "from tuner.cli.main import main; main()", "run", str(file), "--storage", str(folder))
    storage = Storage(folder / str(sweep["name"]))
    events = list(journal.read(storage))
    began, ended = ([seconds(event.at) for event in events if isinstance(event, kind)] for kind in (DriverStarted, DriverStopped))
    scores = [event.score for event in events if isinstance(event, Reported) and event.score is not None]
    history = History.of(events)
    first = ranking.order(history)[0]
    chosen = first.rungs[max(first.rungs)] if first.rungs else first.curve[max(first.curve)].score
    seen = overview(storage, time.time())
    assert seen.training is not None
    assert seen.training_after_start is not None
    assert chosen is not None
    return {
        "wall_s": wall_s,
        "search_s": ended[-1] - began[0],
        "epochs": history.epochs,
        "best_accuracy": max(scores),
        "chosen_accuracy": chosen,
        "training": seen.training,
        "training_after_start": seen.training_after_start,
    }


def theirs(task: Mapping[str, Any], folder: Path) -> dict[str, float]:
    """Run the other side in a process of its own, from its start to its end; `folder` has its images."""
    (folder / "task.json").write_text(json.dumps(task))
    token.for_private(token.ensure(folder / "token"), environment := dict(os.environ))
    wall_s, said = timed("-m", "benchmarks.tutorial_peer", str(folder), environment=environment)
    found: dict[str, float] = json.loads(said.splitlines()[-1])
    if found["errors"]:
        sys.exit(f"the tutorial side had {found['errors']} failed trials; there must be none")
    return {"wall_s": wall_s, **{name: found[name] for name in ("ray_start_s", "search_s", "epochs", "best_accuracy", "chosen_accuracy")}}


def timed(*arguments: str, environment: Mapping[str, str] | None = None) -> tuple[float, str]:
    """Run Python; return its wall seconds and what it printed."""
    started = time.perf_counter()
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        sys.exit(f"python {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr[-4000:]}")
    return time.perf_counter() - started, done.stdout


def compare(options: argparse.Namespace) -> dict[str, Any]:
    """Run both sides in turn; return their figures and ratios."""
    runs: dict[str, list[dict[str, float]]] = {"shortlist": [], "tutorial": []}
    with tempfile.TemporaryDirectory(prefix="tutorial-way-") as scratch:
        file = Path(scratch) / "images.npz"
        decoding_s = arrays(options, file)
        say(f"images decoded in {decoding_s:.1f} s")
        loader_s, loader_workers = {}, options.loader_workers
        if loader_workers is None:
            loader_s = faster_loader(task_of(options, 0)[1], file)
            loader_workers = int(min(loader_s, key=lambda workers: loader_s[workers]))
            say(f"tutorial: an epoch takes {loader_s} s with so many DataLoader processes; {loader_workers} it is")
        for repeat in range(options.repeats):
            sweep, task = task_of(options, repeat)
            for side in runs:
                folder = Path(scratch) / f"{side}-{repeat}"
                folder.mkdir()
                if side == "tutorial":
                    (folder / "images.npz").hardlink_to(file)
                found = ours(sweep, folder) if side == "shortlist" else theirs(task | {"loader_workers": loader_workers}, folder)
                runs[side].append(found)
                say(f"{side}, repeat {repeat + 1} of {options.repeats}: {json.dumps(found)}")
    figures: dict[str, Any] = {"decoding_s": round(decoding_s, 2), "loader_s": loader_s, "loader_workers": loader_workers}
    figures |= {side: {name: records.spread([run[name] for run in found]) for name in found[0]} for side, found in runs.items()}
    pairs: Sequence[tuple[dict[str, float], dict[str, float]]] = list(zip(*runs.values(), strict=True))
    for name in ("wall_s", "search_s"):
        figures[f"{name}_tutorial_over_shortlist"] = records.spread([their[name] / our[name] for our, their in pairs])
    for name in ("best_accuracy", "chosen_accuracy"):
        figures[f"{name}_shortlist_minus_tutorial"] = records.spread([our[name] - their[name] for our, their in pairs])
    return figures


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.tutorial_way", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of CIFAR-10 as train*.parquet")
    parser.add_argument("--repeats", type=int, default=2, help="times that each side runs (2)")
    parser.add_argument("--configurations", type=int, default=16)
    parser.add_argument("--images", type=int, default=4000, help="training images; a quarter as many judge (4000)")
    parser.add_argument("--epochs", type=int, default=8, help="of a trial, at most (8)")
    parser.add_argument("--slots", type=int, default=2, help="trials at once, one core each (2)")
    parser.add_argument("--loader-workers", type=int, choices=LOADER_WORKERS, help="DataLoader processes of the tutorial side (the faster)")
    options = parser.parse_args(arguments)
    options.data = options.data.absolute()
    if not list(options.data.glob("train*.parquet")):
        parser.error(
            f"--data: {options.data} has no train*.parquet, must be a folder of CIFAR-10 as the Hugging Face hub lays out image "
            "classification: put its Parquet files there, or name the folder where they are"
        )
    for name, least in (("repeats", 1), ("configurations", 2), ("images", 100), ("epochs", 2), ("slots", 1)):
        if getattr(options, name) < least:
            parser.error(f"--{name}: {getattr(options, name)}, must be >= {least}")
    started = records.start()
    figures = compare(options)
    records.show({"about": started.about(n=options.repeats, settings=vars(options)), **figures})
    return 0


if __name__ == "__main__":
    sys.exit(main())
