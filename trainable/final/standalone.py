"""Family file -> `model.py`: the network's own file as it is, and below it the few lines that load and use one trained network.

The files of a user's own network lie in `code/` beside `model.py`, which imports them from there.
"""

import inspect
import pprint
import sys
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

from trainable import builder, family, user_code
from trainable.config.builder import BuilderConfig
from trainable.config.train import TrainConfig
from trainable.data.resident import TrainingData
from trainable.errors import ExportError
from trainable.final.choices import Choice
from trainable.final.views import SETS, view

CODE = "code"  # the folder with the user's own modules

HEADER = Template('''"""One trained network, built by the function $builder, whose files lie in code/ beside this one."""

import sys
from pathlib import Path

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().with_name("code")))
from $module import $function  # noqa: E402  # from the folder just named
''')
FOOTER = Template('''

# ---- One trained network: the arguments it was built with, and how to use its weights. Needs torch alone. ----

import json  # noqa: E402  # below the network, which stands alone
import math  # noqa: E402  # the same
from pathlib import Path  # noqa: E402  # the same

ARGUMENTS = $arguments
MEAN = $mean  # of the training pixels, 0..255, one a channel
STD = $std
CLASSES = $classes
IMAGE = $image  # height, width, channels
TEMPERATURE = $temperature  # what divides the logits before they are probabilities; fitted on validation images
$views

def load(path: str | Path = Path(__file__).with_name("model.safetensors")) -> nn.Module:
    """Return the trained network, ready to predict on the CPU."""
    model = $build(**ARGUMENTS)
    content = bytearray(Path(path).read_bytes())
    # The safetensors format: the header's length in 8 bytes, the header as JSON, the numbers.
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    types = {
        "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "BOOL": torch.bool,
        "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8,
    }
    weights = {
        name: torch.frombuffer(
            content, dtype=types[entry["dtype"]], count=math.prod(entry["shape"]), offset=start + entry["data_offsets"][0]
        ).reshape(entry["shape"])
        for name, entry in header.items()
        if name != "__metadata__"
    }
    model.load_state_dict(weights)
    return model.eval().to(memory_format=torch.channels_last)


def logits(model: nn.Module, images_BHWC: torch.Tensor) -> torch.Tensor:
    """Return logits_BK of uint8 images_BHWC, 0..255."""
    device = next(model.parameters()).device
    mean_C, std_C = torch.tensor(MEAN, device=device), torch.tensor(STD, device=device)
    with torch.inference_mode():
        return model(((images_BHWC.to(device).float() - mean_C) / std_C).permute(0, 3, 1, 2))


$probabilities

def predict(images_BHWC: torch.Tensor, model: nn.Module | None = None) -> torch.Tensor:
    """Return the class of each of the uint8 images_BHWC, 0..255, as its place in CLASSES."""
    return _answers(model or load(), images_BHWC).argmax(dim=1)


def probabilities(images_BHWC: torch.Tensor, model: nn.Module | None = None) -> torch.Tensor:
    """Return probabilities_BK of the uint8 images_BHWC, 0..255: of each class, in the order of CLASSES."""
    return (_answers(model or load(), images_BHWC) / TEMPERATURE).softmax(dim=1)
''')
# Where validation chose no views, and where it chose some.
ANSWERS = """
def _answers(model: nn.Module, images_BHWC: torch.Tensor) -> torch.Tensor:
    return logits(model, images_BHWC)
"""
ANSWERS_OVER_VIEWS = Template('''$view

def _answers(model: nn.Module, images_BHWC: torch.Tensor) -> torch.Tensor:
    """Return the logarithms_BK of the mean of the views' probabilities."""
    seen_VBK = torch.stack([logits(model, view(images_BHWC, name)).log_softmax(dim=1) for name in VIEWS])
    return seen_VBK.logsumexp(dim=0) - math.log(len(VIEWS))
''')


def files(config: TrainConfig, data: TrainingData, choice: Choice) -> dict[str, bytes]:
    """Return `model.py` for a network that was trained with this configuration on this data, and the files it imports.

    Raises:
        ExportError: A user's own network cannot be bundled; the message says which import is in the way.
    """
    if not isinstance(config.model, BuilderConfig):
        return {"model.py": source(config, data, choice).encode()}
    return {"model.py": source(config, data, choice).encode()} | {f"{CODE}/{name}": text for name, text in bundle(config.model).items()}


def source(config: TrainConfig, data: TrainingData, choice: Choice) -> str:
    """Return the text of `model.py`."""
    model = config.model
    if isinstance(model, BuilderConfig):
        build = model.function
        beginning = HEADER.substitute(builder=model.builder, module=model.module, function=build)
    else:
        module_class = family.FAMILIES[model.family]
        build = module_class.__name__
        beginning = Path(inspect.getfile(module_class)).read_text(encoding="utf-8")
    arguments = family.arguments(model, image=data.image, num_classes=data.num_classes, dropout=config.dropout)
    return beginning + footer(build, arguments, data, choice)


def footer(build: str, arguments: Mapping[str, Any], data: TrainingData, choice: Choice) -> str:
    """Return the end of `model.py`, by which one trained network is loaded and used.

    Args:
        build: Name of what builds the network, which stands above.
        arguments: What it is given, as plain literals.
        data: What the network was trained on, with the statistics of its pixels.
        choice: How it is asked.
    """
    views = SETS[choice.views]
    seen_often = len(views) > 1
    channels, height, width = data.image
    return FOOTER.substitute(
        build=build,
        arguments=literal(arguments),
        mean=literal(data.mean),
        std=literal(data.std),
        classes=literal(data.class_names),
        image=literal((height, width, channels)),
        temperature=literal(choice.views_temperature),
        views=f"VIEWS = {literal(views)}  # of each image, over which the probabilities are averaged\n" if seen_often else "",
        probabilities=ANSWERS_OVER_VIEWS.substitute(view=inspect.getsource(view)) if seen_often else ANSWERS,
    )


def bundle(model: BuilderConfig) -> dict[str, bytes]:
    """Return the files that the user's function needs, found from the module that is imported here."""
    builder.load(model)
    file = sys.modules[model.module].__file__
    depth = model.module.count(".") + (Path(file).name == "__init__.py" if file else 0)
    if file is None or "site-packages" in file:
        raise ExportError(f"builder is {model.builder}, must lie beside the sweep file to be bundled with model.py; it is installed")
    found = user_code.collect(Path(file).parents[depth], [model.module])
    if strangers := user_code.strangers(found):
        raise ExportError(f"{'; '.join(strangers)}: {user_code.ALONE}")
    return found


def literal(value: object) -> str:
    """Return a value as it is written in a program."""
    return pprint.pformat(value, width=120, sort_dicts=False)
