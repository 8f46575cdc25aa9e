"""A final in prose: what a stranger who finds the folder wants to know first."""

import json
from typing import Any

from results.history import TrialRecord
from search_spaces.sweep import Sweep


def render(sweep: Sweep, record: TrialRecord, plan: Sweep, metrics: dict[str, Any]) -> str:
    """Return the final's README.md.

    Args:
        sweep: The sweep that found the trial.
        record: The trial.
        plan: The final's own sweep.
        metrics: The content of `metrics.json`.
    """
    runs = metrics["runs"]
    spread = (
        "" if len(runs) == 1 else f", mean {metrics['test_accuracy_mean']:.2%} ± {metrics['test_accuracy_sd']:.2%} over {len(runs)} seeds"
    )
    low, high = metrics["test_accuracy_low"], metrics["test_accuracy_high"]
    recipe = {name: value for name, value in plan.trial.items() if name != "model"}
    return f"""# {plan.name}

A network for {sweep.data.name}, {metrics["parameters"]:,} parameters, trained for {metrics["epochs"]} epochs.

| | accuracy | loss |
|---|---|---|
| validation | {metrics["val_accuracy"]:.2%} | {metrics["val_loss"]:.4f} |
| test (read once) | {metrics["test_accuracy"]:.2%} | {metrics["test_loss"]:.4f} |

Test accuracy on {metrics["test_examples"]:,} images, 95 % interval {low:.2%} to {high:.2%}{spread}.
The weights are those of the run that validation prefers (seed {metrics["seed"]}); the test split decided nothing.

## Use

    from model import load, predict      # this folder on the path; needs torch alone
    network = load("model.safetensors")
    classes = predict(network, images)   # uint8 tensor: batch, height, width, channels

## Origin

Trial {record.trial} of the sweep {sweep.name} ({len(sweep.trial)} fields, seed {sweep.seed}), promoted with this recipe:

    model: {json.dumps(plan.trial["model"])}
    recipe: {json.dumps(recipe)}

`lineage.json` names the sweep, the data and the software; `curves.parquet` has every epoch; `metrics.json` every figure.
"""
