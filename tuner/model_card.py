"""A final in prose: what a stranger who finds the folder wants to know first."""

import json
from typing import Any

from results.history import TrialRecord
from search_spaces.sweep import Sweep

# What the images of a data set were, for whoever wants the figures again.
IMAGES = {
    "digits": (
        "They were scikit-learn's digits, 8x8, whose ink of 0..16 became round(ink * 255 / 16). The test split is a fifth, stratified by "
        "class and fixed: `trainable/data/digits.py`."
    ),
    "cifar10": "They were CIFAR-10's, 32x32 RGB, in torchvision's division into training and test images.",
    "parquet": "They were decoded from the JPEG or PNG bytes of train*.parquet and test*.parquet.",
}


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

A network for {sweep.data.name}, {metrics["parameters"]:,} parameters, {_length(metrics)}.

| | accuracy | loss |
|---|---|---|
| validation | {metrics["val_accuracy"]:.2%} | {metrics["val_loss"]:.4f} |
| test (read once) | {metrics["test_accuracy"]:.2%} | {metrics["test_loss"]:.4f} |

Test accuracy on {metrics["test_examples"]:,} images, 95 % interval {low:.2%} to {high:.2%}{spread}.
The weights are those of the run that validation prefers (seed {metrics["seed"]}); the test split decided nothing.

## Use

    from model import CLASSES, load, predict    # this folder on the path; needs torch alone

    network = load()
    names = [CLASSES[number] for number in predict(images, network)]

`images` is a uint8 tensor of 0..255: batch, height, width, channels. {IMAGES[sweep.data.name]}

## Origin

Trial {record.trial} of the sweep {sweep.name} ({len(sweep.trial)} fields, seed {sweep.seed}), promoted with this recipe:

    model: {json.dumps(plan.trial["model"])}
    recipe: {json.dumps(recipe)}

`lineage.json` names the sweep, the data and the software; `curves.parquet` has every epoch; `metrics.json` every figure.
"""


def _length(metrics: dict[str, Any]) -> str:
    """Return how long the published weights were trained, which may be less than was asked for: patience, best weights kept."""
    (run,) = (run for run in metrics["runs"] if run["seed"] == metrics["seed"])
    asked, trained, kept = metrics["epochs"], run["epochs"], run.get("epoch", run["epochs"])
    text = f"trained for {trained} epochs" if trained == asked else f"trained for {trained} of {asked} epochs, when its patience ran out"
    return text if kept == trained else f"{text}; the weights are those after epoch {kept}, the best on validation"
