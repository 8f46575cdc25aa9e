"""The user's own modules travel with the sweep: copied to `<sweep>/code/`, their fingerprint part of every configuration.

A resumed sweep, its finals and every worker thus use the code that the sweep was started with; a file that has changed since makes
another sweep.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from results.storage import Storage
from search_spaces.sweep import Sweep
from trainable import user_code
from trainable.config.builder import REFERENCE, BuilderConfig
from trainable.config.model import ModelConfig
from trainable.errors import ModelError
from tuner.errors import UsageError

FOLDER = "code"  # below a sweep's folder


def packed(sweep: Sweep, folder: Path) -> tuple[Sweep, dict[str, bytes]]:
    """Return the sweep with the fingerprint of the user's modules in it, and their files; have them importable here.

    Args:
        sweep: As loaded.
        folder: Where its file lies.

    Raises:
        ModelError: A file is not Python, or hides an installed module.
        UsageError: The sweep file names another fingerprint than its modules have.
    """
    builders = list(_builders(sweep.trial.get("model")))
    modules = {text.partition(":")[0] for model in builders for text in _texts(model["builder"]) if re.match(REFERENCE, text)}
    files = user_code.collect(folder, sorted(modules))
    if not files:
        return sweep, {}
    user_code.importable(folder, files)
    code = user_code.fingerprint(files)
    for model in builders:
        if model.get("code", code) != code:
            raise UsageError(f"trial.model.code is {model['code']}, must be {code}, the fingerprint of {', '.join(files)}; leave it out")
    return sweep.model_copy(update={"trial": sweep.trial | {"model": _with_code(sweep.trial["model"], code)}}), files


def store(storage: Storage, files: Mapping[str, bytes]) -> None:
    """Lay the files beside a sweep."""
    for name, content in files.items():
        storage.write_atomic(f"{FOLDER}/{name}", content)


def stored(root: Path) -> dict[str, bytes]:
    """Return the files that lie with a sweep, and have them importable here; none where it has none."""
    files = user_code.read(root / FOLDER)
    if files:
        user_code.importable(root / FOLDER, files)
    return files


def unpack(model: ModelConfig, root: Path) -> None:
    """Have the user's modules that lie with a sweep importable in this process.

    Raises:
        ModelError: They are not those that the configuration was made with.
    """
    if not isinstance(model, BuilderConfig) or model.code is None:
        return
    files = stored(root)
    if user_code.fingerprint(files) != model.code:
        Storage(root, follow=False).fetch(FOLDER)  # from an object store; anywhere else they lie here or nowhere
        files = stored(root)
    if (seen := user_code.fingerprint(files)) != model.code:
        raise ModelError(f"{root / FOLDER} has the fingerprint {seen}, must be {model.code}: its files were changed; put them back")


def refuse_strangers(files: Mapping[str, bytes]) -> None:
    """Raise UsageError where the files could not be exported with a final: better now than after its training."""
    if found := user_code.strangers(files):
        raise UsageError(f"{'; '.join(found)}: {user_code.ALONE}")


def _texts(content: Any) -> Iterator[str]:
    """Yield every text in a value or a domain."""
    match content:
        case str():
            yield content
        case dict() | list():
            for item in content.values() if isinstance(content, dict) else content:
                yield from _texts(item)


def _builders(model: Any) -> Iterator[dict[str, Any]]:
    """Yield the mappings under `trial.model` that name a builder: itself, its options, its alternatives."""
    match model:
        case {"builder": _}:
            yield model
        case {"choice": list(options)} | list(options):
            for option in options:
                yield from _builders(option)
        case {"value": content}:
            yield from _builders(content)


def _with_code(model: Any, code: str) -> Any:
    match model:
        case {"builder": _}:
            return {**model, "code": code}
        case {"choice": list(options), **rest}:
            return {"choice": [_with_code(option, code) for option in options], **rest}
        case {"value": content, **rest}:
            return {"value": _with_code(content, code), **rest}
        case list():
            return [_with_code(option, code) for option in model]
    return model
