"""An ensemble in prose: what a stranger who finds the folder wants to know first."""

from typing import Any

from search_spaces.sweep import Sweep
from tuner.model_card import IMAGES, LIMITS, figures, programs, use


def render(sweep: Sweep, metrics: dict[str, Any]) -> str:
    """Return the README.md of an ensemble.

    Args:
        sweep: The sweep that its members' trials come from.
        metrics: The content of `metrics.json`.
    """
    members = metrics["members"]
    low, high = metrics["test_accuracy_low"], metrics["test_accuracy_high"]
    rows = "\n".join(
        f"| {member['share']:.0%} | {member['final']} | {member['trial']} | {member['seed']} | {member['parameters']:,} | "
        f"{member['val_accuracy']:.2%} | {member['test_accuracy']:.2%} |"
        for member in members
    )
    return f"""# {metrics["final"]}

{len(members)} networks for {sweep.data.name} as one: the weighted mean of their probabilities. {metrics["parameters"]:,} parameters in all.

| | accuracy | loss |
|---|---|---|
| validation | {metrics["val_accuracy"]:.2%} | {metrics["val_loss"]:.4f} |
| test (read once) | {metrics["test_accuracy"]:.2%} | {metrics["test_loss"]:.4f} |

Test accuracy on {metrics["test_examples"]:,} images, 95 % interval {low:.2%} to {high:.2%}.

| share | final | run | seed | parameters | validation | test |
|---|---|---|---|---|---|---|
{rows}

{_gain(metrics)}

{use()}

`images` is a uint8 tensor of 0..255: batch, height, width, channels. {IMAGES[sweep.data.name]} `logits` are the logarithms of the mean
probabilities; each network normalizes the pixels for itself.
{programs(metrics)}
{figures(metrics)}
## Limits

An image costs what it costs in each of the networks, one after the other. {LIMITS}

## Origin

Runs of finals of the sweep {sweep.name} ({len(sweep.trial)} fields, seed {sweep.seed}). Who is a member, and with which share,
was selected from {metrics["candidates"]} runs on validation alone, greedily and with replacement (Caruana et al., 2004), and written
down before the test split was opened for it.

`lineage.json` names the members with their recipes and weights, the sweep, the data, the software and every reading of the test split;
`metrics.json` every figure. `sha256sum -c checksums.sha256` says whether the files are as they were written.
"""


def _gain(metrics: dict[str, Any]) -> str:
    """Return what it gains over the best single run, with its uncertainty."""
    accuracy, loss, single = metrics["gain"]["accuracy"], metrics["gain"]["loss"], metrics["single"]
    return f"""Over the best single run on validation ({single["final"]}, seed {single["seed"]}: {single["accuracy"]:.2%}, loss
{single["loss"]:.4f}) it gains {_points(accuracy)} points of accuracy; its loss, both calibrated, is lower by {_nats(loss)}, each with its
95 % interval: paired differences of the same images. These images have also selected the members, so that the gain on others is
smaller; the test figures above are of images that selected nothing."""


def _points(gain: dict[str, float]) -> str:
    return f"{gain['mean'] * 100:+.2f} ({gain['low'] * 100:+.2f} to {gain['high'] * 100:+.2f})"


def _nats(gain: dict[str, float]) -> str:
    return f"{gain['mean']:+.4f} ({gain['low']:+.4f} to {gain['high']:+.4f})"
