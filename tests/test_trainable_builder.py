"""The user's own network: what is refused before the first trial, how it is counted, trained and exported."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from pictures import CPU, random_data, recipe
from test_trainable_family import exported_logits

from trainable import user_code
from trainable.config.builder import BuilderConfig
from trainable.cost import measure
from trainable.errors import ExportError, ModelError
from trainable.final.export import export
from trainable.training import Training

NETS = '''
"""Nets of the user's."""

import torch
from torch import nn

from layers.blocks import block


def make(width, depth=1, *, in_channels, num_classes):
    return nn.Sequential(block(in_channels, width), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, num_classes))


class Tied(nn.Module):
    """Two names for one weight, a buffer of another type, and a look at the values."""

    def __init__(self, in_channels, num_classes):
        super().__init__()
        self.first = nn.Linear(in_channels, num_classes)
        self.second = nn.Linear(in_channels, num_classes)
        self.second.weight = self.first.weight
        self.register_buffer("seen", torch.zeros((), dtype=torch.float64))

    def forward(self, images):
        means = images.mean((2, 3))
        if float(means.detach().sum()) > 1e9:
            raise ValueError("too bright")
        return self.first(means) + self.second(means)


def nothing(in_channels, num_classes):
    return "a network"


def one_class_too_many(in_channels, num_classes):
    return make(2, in_channels=in_channels, num_classes=num_classes + 1)


def flat_head(in_channels, num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(7, num_classes))


def fails(in_channels, num_classes):
    raise ArithmeticError("no such width")


def constant(in_channels, num_classes):
    class Constant(nn.Module):
        def forward(self, images):
            return images.new_zeros(len(images), num_classes)

    return Constant()


NUMBER = 7
'''
BLOCKS = """
from torch import nn

from . import sizes


def block(in_channels, width):
    return nn.Sequential(nn.Conv2d(in_channels, width, sizes.KERNEL), nn.BatchNorm2d(width), nn.ReLU())
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with two modules of the user's that are importable until the test ends."""
    place = tmp_path / "mine"
    (place / "layers").mkdir(parents=True)
    (place / "nets.py").write_text(NETS)
    (place / "layers" / "__init__.py").touch()
    (place / "layers" / "blocks.py").write_text(BLOCKS)
    (place / "layers" / "sizes.py").write_text("KERNEL = 3\n")
    (place / "unrelated.py").write_text("this is not Python")
    before = list(sys.meta_path)
    user_code.importable(place, user_code.collect(place, ["nets"]))
    yield place
    sys.meta_path[:] = before
    for name in [name for name in sys.modules if name.partition(".")[0] in ("nets", "layers", "broken")]:
        del sys.modules[name]


def line(text: str) -> int:
    """Return the line of `nets.py` that a text stands in."""
    return NETS[: NETS.index(text)].count("\n") + 1


def refused(reference: str, **kwargs: Any) -> str:
    with pytest.raises(ModelError) as caught:
        measure(BuilderConfig(builder=reference, kwargs=kwargs), (3, 8, 8), 5)
    text = str(caught.value)
    assert text.startswith(f"builder is {reference}, must ")
    assert "\n" not in text
    return text


@pytest.mark.usefixtures("folder")
def test_function_is_given_its_arguments_and_what_the_data_says() -> None:
    cost = measure(BuilderConfig(builder="nets:make", kwargs={"width": 4}), (3, 8, 8), 5)
    assert cost.parameters == 3 * 4 * 9 + 4 + 2 * 4 + 4 * 5 + 5
    assert cost.flops_per_image == 2 * (6 * 6 * 9 * 3 * 4 + 4 * 5)


@pytest.mark.usefixtures("folder")
def test_network_that_would_not_fit_in_memory_is_counted() -> None:
    assert measure(BuilderConfig(builder="nets:make", kwargs={"width": 10**9}), (3, 8, 8), 5).parameters > 3e10


@pytest.mark.usefixtures("folder")
def test_network_that_the_meta_device_cannot_run_is_counted_on_the_cpu_and_the_generator_left_alone() -> None:
    before = torch.get_rng_state()
    assert measure(BuilderConfig(builder="nets:Tied"), (3, 8, 8), 5).parameters == 3 * 5 + 5 + 5
    assert torch.equal(torch.get_rng_state(), before)


def test_what_cannot_be_built_is_refused_in_one_line(folder: Path) -> None:
    nets = folder / "nets.py"
    assert refused("nothere:make").endswith("an installed one: there is no nothere.py")
    assert refused("nets:mak").startswith(f"builder is nets:mak, must name a function of {nets}: it has make, Tied, nothing")
    assert "must name a function" in refused("nets:NUMBER")
    assert "must take the arguments in_channels, num_classes: missing a required argument: 'width'; mend" in refused("nets:make")
    assert "got an unexpected keyword argument 'colour'" in refused("nets:make", width=3, colour="red")
    assert refused("nets:nothing").endswith(f"must return a torch.nn.Module, not str; mend {nets}:{line('def nothing')}")
    assert "(2, 5) for 2 images and 5 classes: it gives a tensor of shape (2, 6)" in refused("nets:one_class_too_many")
    said = refused("nets:flat_head")
    assert "must map images of 2 by 3 by 8 by 8 to logits: RuntimeError: " in said
    assert "(2x192 and 7x5)" in said
    assert f"from in_channels=3, num_classes=5: {nets}:{line('raise Arith')}: ArithmeticError: no such width" in refused("nets:fails")
    assert "do not depend on its parameters" in refused("nets:constant")


@pytest.mark.parametrize(
    ("text", "said"),
    [("def make(:\n", "broken.py:1: invalid syntax"), ("\nimport nowhere_at_all\n", "broken.py:2: ModuleNotFoundError: No module named"),
     ("x = 1 / 0\n", "broken.py:1: ZeroDivisionError")],
)  # fmt: skip
def test_module_that_cannot_be_imported_is_refused_with_file_and_line(folder: Path, text: str, said: str) -> None:
    (folder / "broken.py").write_text(text)
    user_code.importable(folder, {"broken.py": text.encode()})
    assert f"must be importable: {folder}/{said}" in refused("broken:make")


@pytest.mark.slow
@pytest.mark.parametrize(("function", "kwargs"), [("make", {"width": 4}), ("Tied", {})])
def test_it_trains_through_the_loop_and_its_export_needs_torch_alone(
    folder: Path, tmp_path: Path, function: str, kwargs: dict[str, Any]
) -> None:
    torch.set_num_threads(1)
    config = recipe(model={"builder": f"nets:{function}", "kwargs": kwargs})
    training = Training(config, random_data(num_train=32, num_val=8), CPU)
    training.train_epoch()
    training.save(tmp_path / "checkpoint")
    again = Training(config, training.data, CPU)
    again.load(tmp_path / "checkpoint")
    expected, seen, strangers = exported_logits(again, tmp_path)
    assert torch.equal(seen, expected)
    assert strangers == ["layers", "model", "nets"]
    files = sorted(path.relative_to(tmp_path / "export").as_posix() for path in (tmp_path / "export").rglob("*") if path.is_file())
    code = ["code/layers/__init__.py", "code/layers/blocks.py", "code/layers/sizes.py", "code/nets.py"]
    assert files == [*code, "model.py", "model.safetensors"]


def test_network_that_imports_more_than_torch_is_not_exported_with_the_reason(folder: Path, tmp_path: Path) -> None:
    with (folder / "layers" / "sizes.py").open("a") as file:
        file.write("\n\ndef late():\n    import numpy\n    return numpy.e\n")
    training = Training(recipe(model={"builder": "nets:make", "kwargs": {"width": 4}}), random_data(num_train=32, num_val=8), CPU)
    with pytest.raises(ExportError, match=r"layers/sizes.py:5 imports numpy: must import only torch"):
        export(training.module, training.config, training.data, tmp_path / "export")
    assert not (tmp_path / "export" / "model.py").exists()


def test_installed_network_is_not_exported(tmp_path: Path) -> None:
    config = recipe(model={"builder": "torchvision.models:resnet18", "kwargs": {}})
    with pytest.raises(ModelError, match="unexpected keyword argument"):  # torchvision's takes no in_channels
        Training(config, random_data(), CPU)
