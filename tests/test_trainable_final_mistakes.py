"""Images that a network takes for something else: which are kept, how they are shown, and that no test image is among them."""

import base64
import io
import json

import pytest
import torch
from pictures import CLASSES, random_data
from PIL import Image
from torch import nn

from results import finals
from trainable.final.mistakes import MOST, SIDE, chosen, mistakes, thumbnail


def shown(address: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))


def test_surest_mistakes_are_kept_in_order_and_all_are_counted() -> None:
    generator = torch.Generator().manual_seed(0)
    labels_N = torch.zeros(100, dtype=torch.int64)
    probabilities_NK = torch.rand(100, 3, generator=generator, dtype=torch.float64)
    probabilities_NK /= probabilities_NK.sum(dim=1, keepdim=True)
    images_NHWC = torch.arange(100, dtype=torch.uint8)[:, None, None, None].expand(100, 4, 5, 1)
    told = chosen(probabilities_NK, images_NHWC, labels_N, ("a", "b", "c"))
    wrong = [number for number in range(100) if probabilities_NK[number].argmax() != 0]
    expected = sorted(wrong, key=lambda number: -float(probabilities_NK[number].max()))[:MOST]
    assert (told["examples"], told["mistakes"]) == (100, len(wrong))
    assert [image["number"] for image in told["images"]] == expected
    assert {image["true"] for image in told["images"]} == {"a"}
    first = told["images"][0]
    assert first["predicted"] == "abc"[int(probabilities_NK[expected[0]].argmax())]
    assert first["confidence"] == float(probabilities_NK[expected[0]].max())
    assert first["of_true"] == float(probabilities_NK[expected[0], 0])
    picture = shown(first["image"])
    assert (picture.size, picture.getpixel((0, 0))) == ((5, 4), expected[0])


@pytest.mark.parametrize(("side", "channels", "kind"), [(8, 1, "png"), (32, 3, "png"), (33, 3, "jpeg"), (224, 3, "jpeg")])
def test_small_images_are_shown_to_the_last_pixel_and_large_ones_reduced(side: int, channels: int, kind: str) -> None:
    image_HWC = torch.randint(256, (side, side, channels), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    address = thumbnail(image_HWC)
    assert address.startswith(f"data:image/{kind};base64,")
    assert finals._is_shown({"image": address}), "the report must take what is written here"
    picture = shown(address)
    if kind == "png":
        assert list(picture.tobytes()) == image_HWC.flatten().tolist()
    assert max(picture.size) == min(side, SIDE)
    assert len(address) < 12_000  # of noise, which nothing compresses


class Taken(nn.Module):
    """Takes every image for class 0."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.tensor([[2.0, 0.0, 0.0]]).expand(len(images), 3) + 0 * images.sum()


def test_validation_images_are_asked_and_temperature_says_how_sure() -> None:
    data = random_data(num_train=12, num_val=9)
    told = mistakes(Taken(), data, temperature=2.0, learned_from_all=False)
    assert told["split"] == "validation"
    assert {image["predicted"] for image in told["images"]} == {CLASSES[0]}
    assert told["mistakes"] == int((data.val_labels_N != 0).sum())
    assert {round(image["confidence"], 6) for image in told["images"]} == {round(float(torch.tensor([1.0, 0, 0]).softmax(0)[0]), 6)}
    assert set(finals.MISTAKES_FIELDS) <= {"images.image", *told}, "docs/formats.md names what is written"
    assert json.loads(json.dumps(told)) == told


def test_network_that_learned_from_the_validation_images_shows_none() -> None:
    told = mistakes(Taken(), random_data(num_train=12, num_val=9), temperature=1.0, learned_from_all=True)
    assert (told["learned_from"], told["mistakes"], told["images"]) == (True, None, [])
