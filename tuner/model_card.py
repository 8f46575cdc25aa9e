"""A final in prose: what a stranger who finds the folder wants to know first."""

import json
from typing import Any

from tuner.final_plan import FinalPlan, changes

# What the images of a data set were, for whoever wants the figures again.
IMAGES = {
    "digits": (
        "They were scikit-learn's digits, 8x8, whose ink of 0..16 became round(ink * 255 / 16). The test split is a fifth, stratified by "
        "class and fixed: `trainable/data/digits.py`."
    ),
    "cifar10": "They were CIFAR-10's, 32x32 RGB, in torchvision's division into training and test images.",
    "parquet": "They were decoded from the JPEG or PNG bytes of train*.parquet and test*.parquet.",
}


def render(plan: FinalPlan, metrics: dict[str, Any]) -> str:
    """Return the final's README.md.

    Args:
        plan: What was promoted.
        metrics: The content of `metrics.json`.
    """
    sweep, record = plan.sweep, plan.record
    runs = metrics["runs"]
    spread = (
        "" if len(runs) == 1 else f", mean {metrics['test_accuracy_mean']:.2%} ± {metrics['test_accuracy_sd']:.2%} over {len(runs)} seeds"
    )
    low, high = metrics["test_accuracy_low"], metrics["test_accuracy_high"]
    all_used = metrics["val_accuracy"] is None
    validation = (
        "| none: its images were learned from | |" if all_used else f"| {metrics['val_accuracy']:.2%} | {metrics['val_loss']:.4f} |"
    )
    preferred = "the run with the lowest seed" if all_used else "the run that validation prefers"
    recipes = "\n".join(_recipe(plan, number) for number in range(plan.num_stages))
    return f"""# {plan.name}

A network for {sweep.data.name}, {metrics["parameters"]:,} parameters, {_length(plan, metrics)}.

| | accuracy | loss |
|---|---|---|
| validation {validation}
| test (read once) | {metrics["test_accuracy"]:.2%} | {metrics["test_loss"]:.4f} |

Test accuracy on {metrics["test_examples"]:,} images, 95 % interval {low:.2%} to {high:.2%}{spread}.
The weights are those of {preferred} (seed {metrics["seed"]}); the test split decided nothing.

## Use

    from model import CLASSES, load, predict    # this folder on the path; needs torch alone

    network = load()
    names = [CLASSES[number] for number in predict(images, network)]

`images` is a uint8 tensor of 0..255: batch, height, width, channels. {IMAGES[sweep.data.name]}

## Origin

Trial {record.trial} of the sweep {sweep.name} ({len(sweep.trial)} fields, seed {sweep.seed}), promoted with this recipe:

    model: {json.dumps(plan.contents[0]["model"])}
{recipes}

`lineage.json` names the sweep, the data and the software; `curves.parquet` has every epoch; `metrics.json` every figure.
"""


def _recipe(plan: FinalPlan, number: int) -> str:
    """Return the recipe of one stage: in full for the first, what differs from the trial's for the others."""
    if number:
        return f"    then:   {'; '.join(changes(plan, number))}"
    recipe = {name: value for name, value in plan.contents[0].items() if name not in ("model", "seed")}
    return f"    recipe: {json.dumps(recipe)}"


def _length(plan: FinalPlan, metrics: dict[str, Any]) -> str:
    """Return how long the published weights were trained, which may be less than was asked for: patience, best weights kept."""
    run = metrics["runs"][0]
    if plan.num_stages > 1:
        lengths = " + ".join(str(content["max_epochs"]) for content in plan.contents)
        return (
            f"trained for {plan.epochs} epochs in {plan.num_stages} stages ({lengths}), each from the weights that the one before has left"
        )
    asked, trained, kept = metrics["epochs"], run["epochs"], run.get("epoch", run["epochs"])
    text = f"trained for {trained} epochs" if trained == asked else f"trained for {trained} of {asked} epochs, when its patience ran out"
    return text if kept == trained else f"{text}; the weights are those after epoch {kept}, the best on validation"
