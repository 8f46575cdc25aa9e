"""Greedy selection: known cases, its limits, and the gain that is told of it."""

import math
from collections.abc import Sequence

import pytest
import torch

from trainable.final import greedy

NUM_CLASSES = 4


def predictions(right: Sequence[Sequence[bool]], *, sure: float = 0.7) -> tuple[torch.Tensor, torch.Tensor]:
    """Return probabilities_MNK and labels_N: candidate m takes image n for its class, or, where it is wrong, for a class of its own."""
    labels_N = torch.arange(len(right[0])) % NUM_CLASSES
    rows = []
    for number, row in enumerate(right):
        taken_N = torch.where(torch.tensor(row), labels_N, (labels_N + 1 + number % (NUM_CLASSES - 1)) % NUM_CLASSES)
        rest = (1 - sure) / (NUM_CLASSES - 1)
        rows.append(torch.full((len(row), NUM_CLASSES), rest, dtype=torch.float64).scatter(1, taken_N[:, None], sure))
    return torch.stack(rows), labels_N


def wrong_at(*places: int, images: int = 24) -> list[bool]:
    return [place not in places for place in range(images)]


def test_candidates_that_are_wrong_about_different_images_help_each_other() -> None:
    probabilities, labels = predictions([wrong_at(0, 1, 2), wrong_at(3, 4, 5, 6), wrong_at(7, 8, 9, 10)])
    found = greedy.select(probabilities, labels, max_members=25)
    assert found.steps[0].candidate == 0, "the best one comes first"
    assert found.steps[0].num_right == 21
    assert set(found.shares) == {0, 1, 2}
    assert sum(found.shares.values()) == pytest.approx(1)
    assert found.steps[found.num_draws - 1].num_right == 24
    assert list(found.shares.values()) == sorted(found.shares.values(), reverse=True)


def test_one_is_kept_alone_where_no_mean_is_better() -> None:
    """The others are wrong where the first is wrong, and elsewhere, too."""
    probabilities, labels = predictions([wrong_at(0), wrong_at(0, 1, 2, 3, 4, 5, 6, 7, 8, 9), wrong_at(*range(20))])
    found = greedy.select(probabilities, labels, max_members=25)
    assert found.shares == {0: 1.0}
    assert len(found.steps) > 1, "others were tried"


def test_a_copy_of_the_best_adds_nothing() -> None:
    probabilities, labels = predictions([wrong_at(0, 1), wrong_at(0, 1)])
    assert greedy.select(probabilities[[0, 0]], labels, max_members=25).shares == {0: 1.0}


def test_no_more_members_than_asked_for_and_none_that_is_too_large_beside_the_others() -> None:
    probabilities, labels = predictions([wrong_at(0, 1, 2), wrong_at(3, 4, 5, 6), wrong_at(7, 8, 9, 10)])
    assert len(greedy.select(probabilities, labels, max_members=2).shares) == 2
    sizes = (3, 4, 2)
    found = greedy.select(probabilities, labels, max_members=25, fits=lambda members: sum(sizes[one] for one in members) <= 5)
    assert set(found.shares) == {0, 2}
    assert found.passed_over == (1,)
    alone = greedy.select(probabilities, labels, max_members=25, fits=lambda members: False)
    assert (alone.shares, alone.passed_over) == ({0: 1.0}, (1, 2))


def test_selection_classifies_no_fewer_images_right_than_the_best_alone_whatever_is_drawn() -> None:
    generator = torch.Generator().manual_seed(5)
    for _ in range(4):
        labels_N = torch.randint(NUM_CLASSES, (40,), generator=generator)
        noise_MNK = torch.randn((5, 40, NUM_CLASSES), generator=generator, dtype=torch.float64)
        probabilities = (noise_MNK + 1.5 * torch.nn.functional.one_hot(labels_N, NUM_CLASSES)).softmax(dim=2)
        found = greedy.select(probabilities, labels_N, max_members=25)
        mean_NK = greedy.mean_of(probabilities, found.shares)
        right = int((mean_NK.argmax(dim=1) == labels_N).sum())
        alone_M = (probabilities.argmax(dim=2) == labels_N).sum(dim=1)
        assert right == found.steps[found.num_draws - 1].num_right >= int(alone_M.max())
        best = found.steps[: found.num_draws]
        assert best[-1].loss == min(step.loss for step in best if step.num_right >= best[0].num_right)


def test_gain_is_the_mean_of_paired_differences_with_its_interval() -> None:
    before, labels = predictions([wrong_at(0, 1, 2, images=8)])
    after, _ = predictions([wrong_at(0, 3, images=8)])
    gain = greedy.gains(before[0].log(), after[0].log(), labels)["accuracy"]
    # Two images became right, one wrong, five stayed: differences 1, 1, -1 and five times 0.
    assert gain.mean == pytest.approx(1 / 8)
    sd = math.sqrt((3 - 8 * (1 / 8) ** 2) / 7)
    assert gain.high - gain.mean == pytest.approx(1.959964 * sd / math.sqrt(8))
    assert gain.mean - gain.low == pytest.approx(gain.high - gain.mean)
    same = greedy.gains(before[0].log(), before[0].log(), labels)["loss"]
    assert (same.mean, same.low, same.high) == (0, 0, 0)
