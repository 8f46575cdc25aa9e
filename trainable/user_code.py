"""The user's own modules: which files they are, what identifies them, how they are imported. No torch.

A module that a sweep file names is looked for beside the sweep file. Its file is copied to `<sweep>/code/` together with those of its
neighbours that it imports, directly or not, anywhere in the text; there the workers, a resumed sweep and the finals find it.
"""

import ast
import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import spec_from_file_location
from pathlib import Path, PurePosixPath
from types import ModuleType

from trainable.errors import ModelError

TAKEN = sys.stdlib_module_names | {"search_spaces", "trainable", "tuner", "results"}

ALONE = (
    "must import only torch, the standard library and one another, for a final's model.py needs nothing else; "
    "copy what is needed beside the sweep file, or search without finals"
)

Files = Mapping[str, bytes]
"""Paths relative to the folder, with forward slashes, and what the files hold."""


def collect(folder: Path, modules: Iterable[str]) -> dict[str, bytes]:
    """Return the files in a folder that modules consist of; none for a module that does not lie there.

    Args:
        folder: The one beside the sweep file.
        modules: Dotted names.

    Raises:
        ModelError: A file is not Python, or has the name of a module that is installed.
    """
    files: dict[str, bytes] = {}
    waiting = list(modules)
    while waiting:
        for name in _files_of(folder, waiting.pop()):
            if name not in files:
                files[name] = (folder / name).read_bytes()
                _refuse_shadow(folder, name)
                waiting += [imported for imported, _ in imports(name, files[name], folder)]
    return dict(sorted(files.items()))


def fingerprint(files: Files) -> str:
    """Return 16 hexadecimal digits that are equal exactly for equal files."""
    digest = hashlib.sha256()
    for name, content in sorted(files.items()):
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:16]


def strangers(files: Files) -> list[str]:
    """Return what the files import besides torch, the standard library and one another: `my_nets.py:3 imports einops`."""
    own = {PurePosixPath(name).with_suffix("").parts[0] for name in files}
    known = own | {"torch"} | sys.stdlib_module_names
    found = []
    for name, content in files.items():
        for imported, line in imports(name, content):
            if (top := imported.partition(".")[0]) not in known:
                found.append(f"{name}:{line} imports {top}")
    return list(dict.fromkeys(found))


def imports(name: str, content: bytes, folder: Path = Path()) -> Iterator[tuple[str, int]]:
    """Yield the absolute names that a file imports, each with its line; of `from a import b` both a and a.b, for b may be a module.

    Raises:
        ModelError: The file is not Python.
    """
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError) as error:
        line = f":{error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        reason = error.msg if isinstance(error, SyntaxError) else error
        raise ModelError(f"{folder / name}{line}: {reason}, must be Python {sys.version_info.major}.{sys.version_info.minor}") from None
    package = PurePosixPath(name).parent.parts
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            origin = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((f"{origin}.{alias.name}" if origin else alias.name, node.lineno) for alias in node.names)
            if origin:
                yield origin, node.lineno


def read(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder that `collect` once filled."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.py"))}


def importable(folder: Path, files: Files) -> None:
    """Have these files of a folder imported under their names from now on, and nothing else from there."""
    finder = _Finder(folder.resolve(), fingerprint(files), frozenset(files))
    if finder in sys.meta_path:
        return
    before = [other for other in sys.meta_path if isinstance(other, _Finder)]
    tops = {top for other in (finder, *before) for top in other.tops}
    for name in [name for name in sys.modules if name.partition(".")[0] in tops]:
        del sys.modules[name]
    sys.meta_path[:] = [finder, *(other for other in sys.meta_path if other not in before)]


@dataclass(frozen=True, slots=True)
class _Finder(MetaPathFinder):
    """Finds the modules of one sweep, and only those: whatever else lies beside a sweep file hides nothing that others import."""

    folder: Path
    code: str
    files: frozenset[str]

    @property
    def tops(self) -> set[str]:
        return {PurePosixPath(name).with_suffix("").parts[0] for name in self.files}

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        name = fullname.replace(".", "/")
        if f"{name}/__init__.py" in self.files:
            package = self.folder / name
            return spec_from_file_location(fullname, package / "__init__.py", submodule_search_locations=[str(package)])
        if f"{name}.py" in self.files:
            return spec_from_file_location(fullname, self.folder / f"{name}.py")
        if any(file.startswith(f"{name}/") for file in self.files):  # a package without __init__.py
            spec = ModuleSpec(fullname, None, is_package=True)
            spec.submodule_search_locations = [str(self.folder / name)]
            return spec
        return None


def _files_of(folder: Path, module: str) -> Iterator[str]:
    """Yield the files of a module that lie in the folder: those of the packages around it, then its own."""
    parts = module.split(".")
    for depth in range(1, len(parts) + 1):
        here = PurePosixPath(*parts[:depth])
        for name in (f"{here}/__init__.py", f"{here}.py"):
            if (folder / name).is_file():
                yield name
                break


def _refuse_shadow(folder: Path, name: str) -> None:
    """Raise ModelError where a file of the user's would hide a module that something else needs."""
    top = PurePosixPath(name).with_suffix("").parts[0]
    spec = None if top in TAKEN else PathFinder.find_spec(top, [entry for entry in sys.path if "site-packages" in entry])
    if top in TAKEN or spec is not None:
        raise ModelError(f"{folder / name}: has the name of the installed module {top}, must have a name of its own; rename it")
