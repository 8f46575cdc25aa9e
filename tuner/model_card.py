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

LIMITS = """It knows the classes that it was trained on and takes every image for one of them. The figures are those of images from
the same source as the training images; others (another camera, another crop, resized from another size) are classified worse, by how much
nobody has measured. The interval holds for the choice of test images, not for another training run."""


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

{use()}

`images` is a uint8 tensor of 0..255: batch, height, width, channels. {IMAGES[sweep.data.name]}
{programs(metrics)}
{figures(metrics)}
## Limits

{LIMITS}

## Origin

Trial {record.trial} of the sweep {sweep.name} ({len(sweep.trial)} fields, seed {sweep.seed}), promoted with this recipe:

    model: {json.dumps(plan.contents[0]["model"])}
{recipes}

`lineage.json` names the sweep, the data, the software and every reading of the test split; `curves.parquet` has every epoch;
`metrics.json` every figure. `sha256sum -c checksums.sha256` says whether the files are as they were written.
"""


def use() -> str:
    """Return how the network is used: two programs that run as they stand."""
    return """## Use

With torch alone. This folder is on the path; the images are uncompressed (PPM, or PGM where grey), of the size that `IMAGE` says:

```python
import sys
from pathlib import Path

import torch
from model import CLASSES, IMAGE, load, probabilities

network, size = load(), IMAGE[0] * IMAGE[1] * IMAGE[2]
for file in sys.argv[1:]:
    images = torch.frombuffer(bytearray(Path(file).read_bytes()[-size:]), dtype=torch.uint8).view(1, *IMAGE)
    (shares,) = probabilities(images, network)
    print(file, CLASSES[int(shares.argmax())], f"{float(shares.max()):.4f}")
```

With Pillow, for JPEG, PNG and other sizes:

```python
import sys

import torch
from model import CLASSES, IMAGE, load, probabilities
from PIL import Image

network, (height, width, channels) = load(), IMAGE
for file in sys.argv[1:]:
    image = Image.open(file).convert("L" if channels == 1 else "RGB")
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BICUBIC)
    images = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).view(1, height, width, channels)
    (shares,) = probabilities(images, network)
    print(file, CLASSES[int(shares.argmax())], f"{float(shares.max()):.4f}")
```"""


def programs(metrics: dict[str, Any]) -> str:
    """Return what other software may run."""
    made = {name: told for name, told in metrics.get("programs", {}).items() if "skipped" not in told}
    if not made:
        return ""
    text = {
        "model.pt2": '`model.pt2` is the same network as a program: `torch.export.load("model.pt2").module()(images)`',
        "model.onnx": "`model.onnx` (opset {opset}) is it for other runtimes: input `images`, output `logits`",
    }
    lines = [f"- {text[name].format(**told)}; logits within {told['largest_difference']:.0e} of `model.py`." for name, told in made.items()]
    return "\n".join(
        [
            "",
            *lines,
            "",
            "Both take the same uint8 images and return logits, of which `preprocessing.json` says the rest: it lies inside them, too.",
            "",
        ]
    )


def figures(metrics: dict[str, Any]) -> str:
    """Return calibration, classes and speed; nothing for a final whose test said less."""
    if "test" not in metrics:
        return ""
    test = metrics["test"]
    rows = [("as it is", test["plain"]), (f"temperature {test['calibrated']['temperature']:.3f}", test["calibrated"])]
    if test["views"]["chosen"] != "plain":
        rows.append((f"averaged over views ({test['views']['chosen']}), temperature {test['views']['temperature']:.3f}", test["views"]))
    lines = [
        "",
        "## Test figures",
        "",
        "| | accuracy | loss | calibration error |",
        "|---|---|---|---|",
        *(f"| {name} | {row['accuracy']:.2%} | {row['loss']:.4f} | {row['calibration_error']:.4f} |" for name, row in rows),
        "",
        "The calibration error is the expected one over 15 bins of equal width. Temperature and views were chosen on validation alone;",
        "`probabilities` and `predict` use them, `logits` are those of the network as it is.",
        "",
        "| class | images | found | 95 % interval | of what was taken for it |",
        "|---|---|---|---|---|",
        *map(_class, test["per_class"]),
        "",
    ]
    if speed := metrics.get("speed"):
        where = speed["device"] if speed["threads"] is None else f"{speed['device']}, {speed['threads']} thread(s)"
        told = "; ".join(f"{row['images']} at once: {row['ms']:.2f} ms, {row['images_per_s']:,.0f} images/s" for row in speed["batches"])
        lines += [f"Speed ({where}, float32, median): {told}.", ""]
    return "\n".join(lines)


def _class(row: dict[str, Any]) -> str:
    def percent(value: float | None) -> str:
        return "" if value is None else f"{value:.1%}"

    interval = f"{percent(row['accuracy_low'])} to {percent(row['accuracy_high'])}" if row["examples"] else ""
    return f"| {row['class']} | {row['examples']:,} | {percent(row['accuracy'])} | {interval} | {percent(row['precision'])} |"


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
