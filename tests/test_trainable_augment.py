import pytest
import torch

from trainable.augment.geometry import crop, flip, random_crop, random_flip
from trainable.augment.pipeline import Augment
from trainable.config.data import AugmentConfig
from trainable.normalize import Normalize

IMAGES = torch.randint(1, 256, (40, 6, 9, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("padding", [1, 4])
def test_crop_equals_padding_and_cutting_image_by_image(padding: int, dtype: torch.dtype) -> None:
    images = IMAGES.to(dtype)
    tops, lefts = torch.randint(0, 2 * padding + 1, (2, 40), generator=rng(1))
    for image, cut, top, left in zip(images, crop(images, tops, lefts, padding), tops.tolist(), lefts.tolist(), strict=True):
        padded = torch.zeros(6 + 2 * padding, 9 + 2 * padding, 3, dtype=dtype)
        padded[padding : padding + 6, padding : padding + 9] = image
        assert torch.equal(cut, padded[top : top + 6, left : left + 9])


def test_crop_reaches_both_ends_and_nothing_beyond() -> None:
    batch = IMAGES[:1].expand(2000, -1, -1, -1)
    cut = random_crop(batch, 2, rng())
    # Rows and columns of black tell the shift; all 25 shifts occur (one is missing with probability 25 * 0.96**2000 < 1e-33).
    assert len({image.numpy().tobytes() for image in cut}) == 25


def test_images_of_a_batch_are_drawn_for_separately() -> None:
    batch = IMAGES[:1].expand(2000, -1, -1, -1)
    mirrored = sum(torch.equal(image, IMAGES[0].flip(1)) for image in random_flip(batch, rng()))
    assert abs(mirrored - 1000) < 5 * 22.4  # five sigmas of a fair coin


def test_flip_mirrors_the_chosen_images_left_to_right() -> None:
    chosen = torch.arange(40) % 3 == 0
    for image, altered, mirrored in zip(IMAGES, flip(IMAGES, chosen.long()), chosen.tolist(), strict=True):
        assert torch.equal(altered, image.flip(1) if mirrored else image)


def test_same_generator_same_images_and_the_input_is_left_alone() -> None:
    before = IMAGES.clone()
    augment = Augment(AugmentConfig(crop=2, flip=True))
    assert torch.equal(augment(IMAGES, rng(3)), augment(IMAGES, rng(3)))
    assert not torch.equal(augment(IMAGES, rng(3)), augment(IMAGES, rng(4)))
    assert torch.equal(IMAGES, before)


def test_nothing_asked_for_changes_nothing_and_draws_nothing() -> None:
    generator = rng()
    assert Augment(AugmentConfig())(IMAGES, generator) is IMAGES
    assert torch.equal(generator.get_state(), rng().get_state())


def test_normalized_images_are_what_the_formula_says_and_channels_last() -> None:
    mean, std = (10.0, 20.0, 30.0), (2.0, 4.0, 8.0)
    images_BCHW = Normalize(mean, std, torch.device("cpu"))(IMAGES)
    plain = (IMAGES.float() - torch.tensor(mean)) / torch.tensor(std)
    assert torch.equal(images_BCHW, plain.permute(0, 3, 1, 2))
    assert images_BCHW.is_contiguous(memory_format=torch.channels_last)
