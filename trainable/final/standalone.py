"""Family file -> `model.py`: the network's own file as it is, and below it the few lines that load and use one trained network."""

import inspect
import pprint
from pathlib import Path
from string import Template

from trainable import family
from trainable.config.train import TrainConfig
from trainable.data.resident import TrainingData

FOOTER = Template('''

# ---- One trained network: the arguments it was built with, and how to use its weights. Needs torch alone. ----

import json  # noqa: E402
import math  # noqa: E402
from pathlib import Path  # noqa: E402

ARGUMENTS = $arguments
MEAN = $mean  # of the training pixels, 0..255, one a channel
STD = $std
CLASSES = $classes
IMAGE = $image  # height, width, channels


def load(path: str | Path = Path(__file__).with_name("model.safetensors")) -> $family:
    """Return the trained network, ready to predict on the CPU."""
    model = $family(**ARGUMENTS)
    content = bytearray(Path(path).read_bytes())
    # The safetensors format: the header's length in 8 bytes, the header as JSON, the numbers.
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    types = {"F32": torch.float32, "I64": torch.int64}
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


def predict(images_BHWC: torch.Tensor, model: nn.Module | None = None) -> torch.Tensor:
    """Return the class of each of the uint8 images_BHWC, 0..255, as its place in CLASSES."""
    return logits(model or load(), images_BHWC).argmax(dim=1)
''')


def source(config: TrainConfig, data: TrainingData) -> str:
    """Return the text of `model.py` for a network that was trained with this configuration on this data."""
    module_class = family.FAMILIES[config.model.family]
    channels, height, width = data.image
    arguments = family.arguments(config.model, in_channels=channels, num_classes=data.num_classes, dropout=config.dropout)
    footer = FOOTER.substitute(
        family=module_class.__name__,
        arguments=_literal(arguments),
        mean=_literal(data.mean),
        std=_literal(data.std),
        classes=_literal(data.class_names),
        image=_literal((height, width, channels)),
    )
    return Path(inspect.getfile(module_class)).read_text(encoding="utf-8") + footer


def _literal(value: object) -> str:
    return pprint.pformat(value, width=120, sort_dicts=False)
