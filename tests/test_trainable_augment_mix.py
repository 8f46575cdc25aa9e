import math

import pytest
import torch
from pictures import recipe

from trainable.augment.mix import Mix, beta, mix, outside_box
from trainable.config.train import TrainConfig
from trainable.loss import Targets

BATCH = 6
LABELS = torch.arange(BATCH)


def images(size: int = 8, channels: int = 3, batch: int = BATCH) -> torch.Tensor:
    pixels = torch.rand((batch, size, size, channels), generator=torch.Generator().manual_seed(1))
    return pixels.permute(0, 3, 1, 2)  # channels_last, as they come from Normalize


def run(config: TrainConfig, seed: int = 0, batch: int = BATCH) -> tuple[torch.Tensor, Targets]:
    return Mix(config)(images(batch=batch), torch.arange(batch), torch.Generator().manual_seed(seed))


def test_nothing_to_mix_is_nothing_done() -> None:
    given = images()
    mixed, targets = Mix(recipe())(given, LABELS, torch.Generator())
    assert mixed is given
    assert targets.labels_B is targets.main is LABELS
    assert targets.others_B is None


def test_mixup_is_the_paper_s_sum() -> None:
    given = images()
    shares_B, others_B = torch.linspace(0, 1, BATCH), torch.tensor([3, 2, 1, 0, 5, 4])
    mixed, targets = mix(given, LABELS, others_B, shares_B[:, None, None].expand(-1, 8, 8))
    for image in range(BATCH):
        expected = shares_B[image] * given[image] + (1 - shares_B[image]) * given[others_B[image]]
        torch.testing.assert_close(mixed[image], expected)
    assert targets.shares_B is not None
    torch.testing.assert_close(targets.shares_B, shares_B)
    assert targets.others_B.tolist() == others_B.tolist()  # type: ignore[union-attr]  # None fails the test


def author_s_box(share: float, row: float, column: float, height: int, width: int) -> list[list[float]]:
    """Return CutMix's box as the authors' program has it (clovaai/CutMix-PyTorch, rand_bbox), loops instead of slices."""
    cut = math.sqrt(1.0 - share)
    cut_h, cut_w = int(height * cut), int(width * cut)
    y, x = int(row * height), int(column * width)
    top, bottom = max(y - cut_h // 2, 0), min(y + cut_h // 2, height)
    left, right = max(x - cut_w // 2, 0), min(x + cut_w // 2, width)
    return [[0.0 if top <= i < bottom and left <= j < right else 1.0 for j in range(width)] for i in range(height)]


def test_box_is_the_authors() -> None:
    generator = torch.Generator().manual_seed(0)
    shares_B, rows_B, columns_B = torch.rand((3, 200), generator=generator)
    weights = outside_box(shares_B, rows_B, columns_B, 9, 12)
    for image in range(200):
        assert weights[image].tolist() == author_s_box(shares_B[image].item(), rows_B[image].item(), columns_B[image].item(), 9, 12)


def test_cutmix_pixels_are_whole_and_the_label_s_share_is_their_count() -> None:
    mixed, targets = run(recipe(cutmix=1.0), batch=200)
    given = images(batch=200)
    assert targets.others_B is not None
    assert targets.shares_B is not None
    own = (mixed == given).all(1)
    assert torch.equal(own | (mixed == given[targets.others_B]).all(1), torch.ones_like(own))
    apart = targets.others_B != targets.labels_B
    torch.testing.assert_close(own[apart].float().mean((1, 2)), targets.shares_B[apart])
    assert targets.shares_B.min() < 0.5  # half a box is rounded down to pixels: at most 6 x 6 of 64
    assert targets.shares_B.max() == 1


@pytest.mark.parametrize("alpha", [0.1, 0.2, 1.0, 5.0])
def test_shares_are_beta_distributed(alpha: float) -> None:
    """Mean 1/2 and variance 1 / (4 (2 alpha + 1)), each within 5 standard errors (a false alarm in 2e6, and the seed is fixed)."""
    count = 20_000
    draws = beta(alpha, count, torch.Generator().manual_seed(0)).double()
    variance = 1 / (4 * (2 * alpha + 1))
    assert float(draws.mean()) == pytest.approx(0.5, abs=5 * math.sqrt(variance / count))
    assert float(draws.var()) == pytest.approx(variance, abs=5 * math.sqrt(1 / 16 / count))  # squares of numbers within 1/2 of the mean
    assert 0 <= draws.min() < draws.max() <= 1


def test_tiny_alpha_gives_numbers() -> None:
    assert torch.isfinite(beta(1e-6, 1000, torch.Generator().manual_seed(0))).all()


def test_with_both_each_image_draws_one() -> None:
    _, targets = run(recipe(mixup=1.0, cutmix=1.0), batch=400)
    assert targets.shares_B is not None
    of_a_box = ((targets.shares_B * 64) % 1 == 0).float().mean()  # a share of 64 pixels
    assert float(of_a_box) == pytest.approx(0.5, abs=5 * 0.5 / math.sqrt(400))


@pytest.mark.parametrize("fields", [{"mixup": 0.4}, {"cutmix": 1.0}, {"mixup": 0.4, "cutmix": 1.0}])
def test_same_generator_same_mixture_and_memory_layout_is_kept(fields: dict[str, float]) -> None:
    first, again, other = (run(recipe(**fields), seed)[0] for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.is_contiguous(memory_format=torch.channels_last)


def test_class_with_the_larger_share_is_the_main_one() -> None:
    targets = Targets(torch.tensor([0, 1, 2]), torch.tensor([2, 2, 0]), torch.tensor([0.4, 0.5, 0.9]))
    assert targets.main.tolist() == [2, 1, 2]
