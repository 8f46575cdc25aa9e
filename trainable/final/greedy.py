"""Which networks make an ensemble, and what each counts for: greedy selection on validation predictions. Opens no split.

Source: Caruana et al., "Ensemble Selection from Libraries of Models", ICML 2004, doi:10.1145/1015330.1015432: forward selection with
replacement, beginning with the best, and of the steps on the way the best one. Deviations are marked where they are.

Shapes: M candidates, N images, K classes.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn.functional import nll_loss

from trainable.final import temperature
from trainable.final.figures import Z_95

# Draws: the shares of an ensemble are multiples of 1 / draws, and the paper's figure 3 is flat long before.
MAX_DRAWS = 25
PATIENCE = 5  # draws without a better step, then no further one is tried
HALVINGS = 25  # leave the temperature right to 1e-6, and the loss, flat around its best, far more so
SMALLEST = 1e-300  # a probability below is taken for this one: its logarithm must be finite


@dataclass(frozen=True, slots=True)
class Step:
    """One draw.

    Attributes:
        candidate: Who was drawn, 0-based.
        loss: Mean negative log-likelihood of the mean of all that were drawn so far, at its own temperature, in nats.
        num_right: Images that this mean classifies right.
    """

    candidate: int
    loss: float
    num_right: int


@dataclass(frozen=True, slots=True)
class Selection:
    """What was selected.

    Attributes:
        steps: Every draw, those behind the best step, too.
        num_draws: How many of them make the ensemble, >= 1.
        passed_over: Candidates that would have helped and were too large beside the others, ascending.
    """

    steps: tuple[Step, ...]
    num_draws: int
    passed_over: tuple[int, ...]

    @property
    def shares(self) -> dict[int, float]:
        """Return candidate -> its share, the largest first; of equals, the one that was drawn first."""
        draws = [step.candidate for step in self.steps[: self.num_draws]]
        counts = {candidate: draws.count(candidate) for candidate in dict.fromkeys(draws)}
        return {candidate: counts[candidate] / len(draws) for candidate in sorted(counts, key=lambda one: -counts[one])}


@dataclass(frozen=True, slots=True)
class Gain:
    """How much better some predictions are than others of the same images, image by image.

    Attributes:
        mean: Of accuracy, or of loss; > 0 where they are better.
        low: Lower end of its 95 % interval.
        high: Upper end of it.
    """

    mean: float
    low: float
    high: float


def select(
    probabilities_MNK: torch.Tensor,
    labels_N: torch.Tensor,
    *,
    max_members: int,
    fits: Callable[[frozenset[int]], bool] = lambda members: True,
) -> Selection:
    """Return which candidates make the best mean.

    The first is the one that classifies most images right (of equals, the likeliest). Each further draw takes the candidate, drawn before
    or not, with which the mean's labels are the likeliest at the mean's own temperature. Of all means on the way that classify no fewer
    images right than the first candidate alone, the likeliest is taken.

    Args:
        probabilities_MNK: float64, of each candidate; of images that none was trained on.
        labels_N: int64.
        max_members: Most different candidates, >= 1.
        fits: Whether so many candidates together are small enough; asked of two or more.
    """
    right_M = (probabilities_MNK.argmax(dim=2) == labels_N).sum(dim=1).tolist()
    losses = losses_of(probabilities_MNK, labels_N)
    best = min(range(len(losses)), key=lambda one: (-right_M[one], losses[one]))
    steps = [Step(best, losses[best], int(right_M[best]))]
    # Deviates from the paper, which begins with the best N of some thousands: of a handful of finals the best one is a beginning.
    sum_NK, members, num_draws, passed_over = probabilities_MNK[best].clone(), {best}, 1, set[int]()
    while len(steps) < MAX_DRAWS and len(steps) - num_draws < PATIENCE:
        scale = 1 / (len(steps) + 1)
        tried = losses_of((sum_NK + probabilities_MNK) * scale, labels_N)
        able = [one for one in range(len(tried)) if one in members or (len(members) < max_members and fits(frozenset(members | {one})))]
        drawn = min(able, key=lambda one: tried[one])
        if len(members) < max_members:
            passed_over |= {one for one in range(len(tried)) if one not in able and tried[one] < tried[drawn]}
        members.add(drawn)
        sum_NK += probabilities_MNK[drawn]
        steps.append(Step(drawn, tried[drawn], int((sum_NK.argmax(dim=1) == labels_N).sum())))
        # Deviates from the paper, which asks one measure: a mean that is surer and wrong more often is no better.
        best_loss = min(step.loss for step in steps[:num_draws] if step.num_right >= steps[0].num_right)
        if steps[-1].num_right >= steps[0].num_right and steps[-1].loss < best_loss:
            num_draws = len(steps)
    return Selection(tuple(steps), num_draws, tuple(sorted(passed_over)))


def mean_of(probabilities_MNK: torch.Tensor, shares: dict[int, float]) -> torch.Tensor:
    """Return the logarithms_NK of the weighted mean; of one candidate alone those of its own probabilities."""
    mean_NK = sum((share * probabilities_MNK[one] for one, share in shares.items()), torch.zeros_like(probabilities_MNK[0]))
    return mean_NK.clamp_min(SMALLEST).log()


def gains(before_NK: torch.Tensor, after_NK: torch.Tensor, labels_N: torch.Tensor) -> dict[str, Gain]:
    """Return what predictions gain over others: `accuracy`, and `loss` (in nats), both > 0 where they are better.

    The intervals are of the mean of paired differences, so they hold for the choice of images, and neither for another training nor for
    the choice that was made on these very images.

    Args:
        before_NK: Whatever a softmax makes probabilities of.
        after_NK: The same of the others.
        labels_N: int64.
    """
    right_N = (after_NK.argmax(dim=1) == labels_N).double() - (before_NK.argmax(dim=1) == labels_N).double()
    loss_N = _losses(before_NK, labels_N) - _losses(after_NK, labels_N)
    return {"accuracy": _gain(right_N), "loss": _gain(loss_N)}


def losses_of(probabilities_MNK: torch.Tensor, labels_N: torch.Tensor) -> list[float]:
    """Return each candidate's loss at its own temperature, in nats: to cure overconfidence alone, no network need be added."""
    logits_MNK = probabilities_MNK.clamp_min(SMALLEST).log()
    temperatures_M = temperature.fit_each(logits_MNK, labels_N, halvings=HALVINGS)
    logarithms_MNK = (logits_MNK / temperatures_M[:, None, None]).log_softmax(dim=2)
    losses: list[float] = (-logarithms_MNK.gather(2, labels_N.expand(len(logits_MNK), -1)[:, :, None])).mean(dim=(1, 2)).tolist()
    return losses


def _gain(differences_N: torch.Tensor) -> Gain:
    mean = float(differences_N.mean())
    half = Z_95 * float(differences_N.std()) / math.sqrt(len(differences_N)) if len(differences_N) > 1 else math.inf
    return Gain(mean, mean - half, mean + half)


def _losses(logits_NK: torch.Tensor, labels_N: torch.Tensor) -> torch.Tensor:
    return nll_loss(logits_NK.double().log_softmax(dim=1), labels_N, reduction="none")
