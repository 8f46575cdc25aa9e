from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torchvision.transforms.v2 import functional

from trainable.augment.geometry import cover, crop, five_crop, flip, random_crop, random_cutout, random_erasing, random_flip
from trainable.augment.pipeline import Augment
from trainable.config.data import AugmentConfig
from trainable.errors import DataError
from trainable.normalize import Normalize

CPU = torch.device("cpu")
EVERYTHING = {
    "five_crop": 5,
    "crop": 2,
    "crop_border": "reflect",
    "flip": True,
    "vertical_flip": True,
    "brightness": 0.4,
    "contrast": 0.4,
    "saturation": 0.4,
    "grayscale": 0.3,
    "blur": 0.5,
    "cutout": 3,
    "erasing": 0.5,
}
IMAGES = torch.randint(1, 256, (40, 6, 9, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def augment(images: torch.Tensor = IMAGES, **changes: Any) -> Augment:
    _, height, width, channels = images.shape
    return Augment(AugmentConfig(**changes), image=(channels, height, width), mean=(100.4, 110.6, 120.5)[:channels], device=CPU)


def planar(image_HWC: torch.Tensor) -> torch.Tensor:
    """Return the image as torchvision takes it."""
    return image_HWC.permute(2, 0, 1)


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
    altered = augment(**EVERYTHING)
    assert torch.equal(altered(IMAGES, rng(3)), altered(IMAGES, rng(3)))
    assert not torch.equal(altered(IMAGES, rng(3)), altered(IMAGES, rng(4)))
    assert torch.equal(IMAGES, before)


def test_nothing_asked_for_changes_nothing_and_draws_nothing() -> None:
    generator = rng()
    assert augment()(IMAGES, generator) is IMAGES
    assert torch.equal(generator.get_state(), rng().get_state())


@pytest.mark.parametrize("padding", [1, 4])
@pytest.mark.parametrize("mode", ["constant", "reflect"])
def test_crop_equals_torchvisions_for_the_same_draws(mode: str, padding: int) -> None:
    tops, lefts = torch.randint(0, 2 * padding + 1, (2, 40), generator=rng(1))
    cuts = crop(IMAGES, tops, lefts, padding, reflect=mode == "reflect")
    for image, cut, top, left in zip(IMAGES, cuts, tops.tolist(), lefts.tolist(), strict=True):
        padded = functional.pad(planar(image), [padding] * 4, padding_mode=mode)
        assert torch.equal(planar(cut), functional.crop(padded, top, left, 6, 9))


def test_flips_equal_torchvisions_for_the_same_draws() -> None:
    chosen = torch.arange(40) % 3 == 0
    for axis, reference in ((1, functional.vertical_flip), (2, functional.horizontal_flip)):
        for image, altered, mirrored in zip(IMAGES, flip(IMAGES, chosen.long(), axis=axis), chosen.tolist(), strict=True):
            assert torch.equal(planar(altered), reference(planar(image)) if mirrored else planar(image))


@pytest.mark.parametrize("size", [3, 4, 6])
def test_five_crop_equals_torchvisions_enlarged_again(size: int) -> None:
    places = torch.arange(40) % 5
    for image, cut, place in zip(IMAGES, five_crop(IMAGES, places, size), places.tolist(), strict=True):
        expected = functional.resize(functional.five_crop(planar(image).float(), [size, size])[place], [6, 9], antialias=False)
        torch.testing.assert_close(planar(cut), expected)


def test_covered_boxes_equal_torchvisions_erasing() -> None:
    draws = rng(1)
    tops, lefts = torch.randint(0, 3, (2, 40), generator=draws)
    heights, widths = torch.randint(0, 4, (2, 40), generator=draws)
    fill = torch.tensor([7.0, 8.0, 9.0])
    for number, covered in enumerate(cover(IMAGES, tops, lefts, heights, widths, fill)):
        box = [int(values[number]) for values in (tops, lefts, heights, widths)]
        assert torch.equal(planar(covered), functional.erase(planar(IMAGES[number]), *box, fill.to(torch.uint8)[:, None, None]))


def test_cutout_covers_a_square_around_any_pixel() -> None:
    black = torch.zeros(3)
    covered = random_cutout(IMAGES[:1].expand(2000, -1, -1, -1), 3, black, rng()) == 0
    rows, columns = covered.any(3).any(2).sum(1), covered.any(3).any(1).sum(1)
    assert set(rows.tolist()) == set(columns.tolist()) == {2, 3}  # a square at the edge loses a row or a column
    # All 54 centres occur: one is missing with probability 54 * (53/54)**2000 < 1e-14.
    assert len({image.numpy().tobytes() for image in covered}) == 54


def test_erasing_covers_the_published_share_of_the_published_number_of_images() -> None:
    images = torch.full((4000, 32, 32, 1), 255, dtype=torch.uint8)
    covered = (random_erasing(images, 0.25, torch.zeros(1), rng()) == 0).float().mean(dim=(1, 2, 3))
    erased = covered[covered > 0]
    assert abs(len(erased) - 1000) < 5 * 27.4  # five sigmas of 4000 draws with probability 1/4
    assert 0.015 < float(erased.min()) < float(erased.max()) < 0.35
    # Uniform from 0.02 to 0.33: the mean of 1000 has a standard deviation of 0.0028; cutting long rectangles to size costs a little.
    assert abs(float(erased.mean()) - 0.175) < 0.02


@pytest.mark.parametrize("channels", [1, 3])
def test_everything_together_keeps_shape_and_range(channels: int) -> None:
    images = IMAGES[..., :channels]
    altered = augment(images, **EVERYTHING)(images, rng())
    assert altered.shape == images.shape
    assert altered.dtype is torch.float32
    assert 0 <= float(altered.min()) < float(altered.max()) <= 255


@pytest.mark.parametrize("field", ["crop", "flip", "vertical_flip", "cutout", "erasing"])
def test_pixels_that_are_only_moved_or_covered_stay_bytes(field: str) -> None:
    altered = augment(**{field: 1})(IMAGES, rng())
    assert altered.dtype is torch.uint8
    assert not torch.equal(altered, IMAGES)


def test_covered_pixels_show_the_mean() -> None:
    assert augment(cutout=20)(IMAGES, rng())[0, 0, 0].tolist() == [100, 111, 120]
    assert augment(cutout=20, blur=1.0)(IMAGES, rng())[0, 0, 0].tolist() == pytest.approx([100.4, 110.6, 120.5])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"crop": 6, "crop_border": "reflect"}, r"augment\.crop: 6, must be at most 5 for images of 6 pixels; lower it"),
        ({"five_crop": 7}, r"augment\.five_crop: 7, must be at most 6"),
        ({"blur": 0.1, "blur_kernel": 13}, r"augment\.blur_kernel: 13, must be at most 11"),
    ],
)
def test_images_too_small_for_an_alteration_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        augment(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"crop_border": "reflect"}, "crop_border is reflect, must be left out where crop is 0"),
        ({"blur_sigma": 1.0}, "blur_sigma is 1.0, must be left out where blur is 0"),
        ({"blur": 0.5, "blur_kernel": 4}, "blur_kernel is 4, must be odd"),
    ],
)
def test_fields_that_nothing_reads_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        AugmentConfig(**changes)


def test_normalized_images_are_what_the_formula_says_and_channels_last() -> None:
    mean, std = (10.0, 20.0, 30.0), (2.0, 4.0, 8.0)
    images_BCHW = Normalize(mean, std, CPU)(IMAGES)
    plain = (IMAGES.float() - torch.tensor(mean)) / torch.tensor(std)
    assert torch.equal(images_BCHW, plain.permute(0, 3, 1, 2))
    assert images_BCHW.is_contiguous(memory_format=torch.channels_last)


def test_normalizing_computed_pixels_leaves_them_alone() -> None:
    normalize, pixels = Normalize((10.0, 20.0, 30.0), (2.0, 4.0, 8.0), CPU), IMAGES.float()
    assert torch.equal(normalize(pixels), normalize(IMAGES))
    assert torch.equal(pixels, IMAGES.float())
