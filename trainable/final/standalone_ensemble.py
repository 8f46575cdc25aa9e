"""`model.py` of an ensemble: the files of its networks as they are, the mean of their probabilities, and what each was built with.

One file holds several families: what two of them define under one name is the same in both (a test sees to it).
"""

import inspect
from pathlib import Path
from string import Template

from trainable import family
from trainable.config.builder import BuilderConfig
from trainable.data.resident import TrainingData, resident
from trainable.final.choices import Choice
from trainable.final.runs import Together, statistics_of
from trainable.final.standalone import CODE, bundle, footer, literal
from trainable.models import ensemble

IMPORTS = """
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().with_name("code")))
"""
MEMBERS = Template('''

# ---- The networks: the share that each has in the mean, the training pixels by which it normalizes, what it is built with. ----

SHARES = $shares
MEANS = $means
STDS = $stds
MEMBERS = (
$members
)


def ensemble() -> Ensemble:
    """Return the networks as one, with fresh weights."""
    return Ensemble([build(**arguments) for build, arguments in MEMBERS], shares=SHARES, means=MEANS, stds=STDS)
''')


def files(run: Together, data: TrainingData, choice: Choice) -> dict[str, bytes]:
    """Return `model.py` for an ensemble, and the files it imports. `data` takes pixels as they are.

    Raises:
        ExportError: A user's own network cannot be bundled; the message says which import is in the way.
    """
    found = {"model.py": source(run, data, choice).encode()}
    for config in run.configs:
        if isinstance(config.model, BuilderConfig):
            found |= {f"{CODE}/{name}": text for name, text in bundle(config.model).items()}
    return found


def source(run: Together, data: TrainingData, choice: Choice) -> str:
    """Return the text of `model.py`."""
    beginnings: dict[str, str] = {}
    members = []
    for config in run.configs:
        model = config.model
        if isinstance(model, BuilderConfig):
            beginnings.setdefault(CODE, IMPORTS)
            build = f"{model.module}_{model.function}".replace(".", "_")  # under its own name it might hide a network of ours
            beginnings[build] = f"from {model.module} import {model.function} as {build}  # noqa: E402  # found since the lines above\n"
        else:
            module_class = family.FAMILIES[model.family]
            build = module_class.__name__
            beginnings[build] = Path(inspect.getfile(module_class)).read_text(encoding="utf-8")
        arguments = family.arguments(model, image=data.image, num_classes=data.num_classes, dropout=config.dropout)
        members.append(f"    ({build}, {literal(arguments)}),")
    pixels = resident(run.data, data.val_images_NHWC.device)  # with their statistics, of which `data` knows nothing
    statistics = [statistics_of(config, pixels) for config in run.configs]
    text = MEMBERS.substitute(
        shares=literal(run.shares),
        means=literal(tuple(mean for mean, _ in statistics)),
        stds=literal(tuple(std for _, std in statistics)),
        members="\n".join(members),
    )
    own = Path(inspect.getfile(ensemble)).read_text(encoding="utf-8")
    return "\n\n".join([*beginnings.values(), own]) + text + footer("ensemble", {}, data, choice)
