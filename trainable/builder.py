"""The user's own network: import its function, call it, hold it to its word. Every error is one line that says what to mend.

The function is called with `kwargs` of the sweep file, `in_channels` (channels of the images) and `num_classes`, all by name. It
returns a `torch.nn.Module` that maps float32 images (batch, channels, height, width), normalized, to logits (batch, classes). It
should draw its weights from torch's global generator, which is seeded, and make no tensors on a device of its own choice, so that
networks of any size are counted without being built.
"""

import importlib
import inspect
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import nn

from trainable.config.builder import BuilderConfig
from trainable.errors import ModelError


def call(model: BuilderConfig, arguments: Mapping[str, Any]) -> nn.Module:
    """Return what the user's function builds.

    Args:
        model: Names the function; its folder must be importable.
        arguments: What the function is called with, by name.

    Raises:
        ModelError: It cannot be imported, takes other arguments, fails, or returns something else.
    """
    function = load(model)
    name = f"builder is {model.builder}"
    try:
        inspect.signature(function).bind(**arguments)
    except TypeError as error:
        raise ModelError(
            f"{name}, must take the arguments {', '.join(arguments)}: {error}; mend model.kwargs or {place(function)}"
        ) from None
    except ValueError:
        pass  # written in C: it has no signature to look at
    try:
        module = function(**arguments)
    except Exception as error:
        raise ModelError(f"{name}, must build a network from {shown(arguments)}: {reason(error)}") from error
    if not isinstance(module, nn.Module):
        raise ModelError(f"{name}, must return a torch.nn.Module, not {type(module).__name__}; mend {place(function)}")
    return module


def load(model: BuilderConfig) -> Callable[..., Any]:
    """Import the module and return the function.

    Raises:
        ModelError: There is no such module or function, or importing it fails.
    """
    name = f"builder is {model.builder}"
    try:
        module = importlib.import_module(model.module)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{model.module}.".startswith(f"{error.name}."):
            file = f"{error.name.replace('.', '/')}.py"
            raise ModelError(f"{name}, must name a module beside the sweep file, or an installed one: there is no {file}") from None
        raise ModelError(f"{name}, must be importable: {reason(error)}; install it, or leave it out") from error
    except Exception as error:
        raise ModelError(f"{name}, must be importable: {reason(error)}") from error
    function = getattr(module, model.function, None)
    if not callable(function):
        names = [key for key, value in vars(module).items() if callable(value) and getattr(value, "__module__", None) == model.module]
        there = f"it has {', '.join(names)}" if names else "it has none"
        raise ModelError(f"{name}, must name a function of {module.__file__}: {there}")
    return function  # type: ignore[no-any-return]  # getattr's


def reason(error: Exception) -> str:
    """Return an error of the user's code in one line, with the place where it happened."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}: {error.msg}"
    said = str(error).strip().splitlines()
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _of_user(frame.filename)]
    where = f"{frames[-1].filename}:{frames[-1].lineno}: " if frames else ""
    return f"{where}{type(error).__name__}{': ' + said[0] if said else ''}"


def place(function: Callable[..., Any]) -> str:
    """Return where a function is written, file:line; its name where that is unknown."""
    try:
        return f"{inspect.getsourcefile(function)}:{inspect.getsourcelines(function)[1]}"
    except (OSError, TypeError):
        return getattr(function, "__name__", repr(function))


def shown(arguments: Mapping[str, Any]) -> str:
    """Return arguments as a call shows them."""
    return ", ".join(f"{name}={value!r}" for name, value in arguments.items())


def _of_user(file: str) -> bool:
    """Say whether a frame is of the user's code: neither ours, nor Python's import machinery, nor installed."""
    return not file.startswith("<") and "site-packages" not in file and Path(file).resolve().parent != Path(__file__).resolve().parent
