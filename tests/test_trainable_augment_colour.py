from collections.abc import Callable

import pytest
import torch
from torchvision.transforms.v2 import functional

from trainable.augment import colour

FACTORS = torch.tensor([0.0, 0.3, 0.999, 1.0, 1.4, 2.0])


def images(channels: int) -> torch.Tensor:
    return torch.randint(0, 256, (6, 7, 9, channels), generator=torch.Generator().manual_seed(0)).float()


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("ours", "reference"),
    [
        (colour.brightness, functional.adjust_brightness),
        (colour.contrast, functional.adjust_contrast),
        (colour.saturation, functional.adjust_saturation),
    ],
)
def test_jitter_equals_torchvisions_for_the_same_factors(
    ours: Callable[..., torch.Tensor], reference: Callable[..., torch.Tensor], channels: int
) -> None:
    pixels = images(channels)
    for image, altered, factor in zip(pixels, ours(pixels, FACTORS), FACTORS.tolist(), strict=True):
        expected = reference(image.permute(2, 0, 1) / 255, factor) * 255  # torchvision's floats lie in 0..1
        torch.testing.assert_close(altered.permute(2, 0, 1), expected, rtol=1e-5, atol=1e-3)
    assert torch.equal(pixels, images(channels))


def test_blur_equals_torchvisions_for_the_same_sigmas() -> None:
    pixels, sigmas = images(3), torch.tensor([0.1, 0.5, 0.8, 1.0, 1.5, 2.0])
    for taps in (3, 5):
        for image, altered, sigma in zip(pixels, colour.blur(pixels, colour.gaussian_kernels(sigmas, taps)), sigmas.tolist(), strict=True):
            expected = functional.gaussian_blur(image.permute(2, 0, 1), [taps, taps], [sigma, sigma])
            torch.testing.assert_close(altered.permute(2, 0, 1), expected, rtol=1e-5, atol=1e-3)


def test_grayscale_equals_torchvisions_where_it_is_drawn_and_nothing_elsewhere() -> None:
    pixels = images(3)[:1].expand(2000, -1, -1, -1)
    altered = colour.random_grayscale(pixels, 0.25, rng())
    grey = functional.rgb_to_grayscale(pixels[0].permute(2, 0, 1), num_output_channels=3).permute(1, 2, 0)
    drawn = (altered[..., 0] == altered[..., 1]).flatten(1).all(dim=1)
    assert abs(int(drawn.sum()) - 500) < 5 * 19.4  # five sigmas of 2000 draws with probability 1/4
    torch.testing.assert_close(altered[drawn], grey.expand(int(drawn.sum()), -1, -1, -1), rtol=1e-5, atol=1e-3)
    assert torch.equal(altered[~drawn], pixels[~drawn])


def test_images_that_are_not_blurred_stay_what_they_are() -> None:
    pixels = images(3)[:1].expand(2000, -1, -1, -1)
    untouched = [torch.equal(image, pixels[0]) for image in colour.random_blur(pixels, 0.5, 3, 2.0, rng())]
    assert abs(sum(untouched) - 1000) < 5 * 22.4  # a sigma of 0.1 changes nothing either, in 2 % of the draws at most
    assert torch.equal(colour.random_blur(pixels, 0.0, 3, 2.0, rng()), pixels)


def test_factors_fill_their_range() -> None:
    factors = colour.random_factors(4000, 0.4, rng())
    # The extremes of 4000 uniform draws are within 1/100 of the range of its ends but for a chance of 2 * 0.99**4000 < 1e-16.
    assert 0.6 <= float(factors.min()) < 0.608
    assert 1.392 < float(factors.max()) <= 1.4
