"""Which files a module of the user's is made of, what identifies them, and how they are imported."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from trainable import user_code
from trainable.errors import ModelError


@pytest.fixture(autouse=True)
def imports_restored() -> Iterator[None]:
    before, modules = list(sys.meta_path), set(sys.modules)
    yield
    sys.meta_path[:] = before
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_neighbours_are_collected_however_they_are_imported(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "nets.py": "import torch\nfrom pack import first\ndef make():\n    import late\n",
            "late.py": "import pack.deep.third as third",
            "pack/__init__.py": "",
            "pack/first.py": "from .second import x\nfrom . import fourth\n",
            "pack/second.py": "x = 1",
            "pack/fourth.py": "from ..nets import make",  # leads out of the package: Python will say so
            "pack/deep/third.py": "",
            "unused.py": "",
        },
    )
    files = user_code.collect(tmp_path, ["nets"])
    assert list(files) == [
        "late.py", "nets.py", "pack/__init__.py", "pack/deep/third.py", "pack/first.py", "pack/fourth.py", "pack/second.py",
    ]  # fmt: skip


def test_modules_that_import_each_other_are_collected_once(tmp_path: Path) -> None:
    write(tmp_path, {"one.py": "import two", "two.py": "import one"})
    assert list(user_code.collect(tmp_path, ["one", "two"])) == ["one.py", "two.py"]


def test_module_that_lies_elsewhere_has_no_files(tmp_path: Path) -> None:
    assert user_code.collect(tmp_path, ["torchvision.models"]) == {}


def test_file_that_is_not_python_is_refused_with_its_line(tmp_path: Path) -> None:
    write(tmp_path, {"nets.py": "import torch\n\ndef make(:\n"})
    with pytest.raises(ModelError, match=rf"{tmp_path}/nets.py:3: invalid syntax, must be Python 3"):
        user_code.collect(tmp_path, ["nets"])


@pytest.mark.parametrize("name", ["random", "torch", "trainable"])
def test_file_that_would_hide_an_installed_module_is_refused(tmp_path: Path, name: str) -> None:
    write(tmp_path, {f"{name}.py": ""})
    with pytest.raises(ModelError, match=f"has the name of the installed module {name}"):
        user_code.collect(tmp_path, [name])


def test_fingerprint_follows_names_and_contents_and_nothing_else() -> None:
    files = {"a.py": b"1", "b.py": b"2"}
    same = {"b.py": b"2", "a.py": b"1"}
    others = [{"a.py": b"1"}, {"a.py": b"1", "c.py": b"2"}, {"a.py": b"12", "b.py": b""}, {"a.py": b"1", "b.py": b"3"}]
    assert user_code.fingerprint(files) == user_code.fingerprint(same)
    assert len({user_code.fingerprint(other) for other in [files, *others]}) == 5


def test_strangers_are_all_but_torch_the_standard_library_and_neighbours() -> None:
    files = {
        "nets.py": b"import math, torch.nn\nfrom pack import x\nimport einops.layers\n",
        "pack/x.py": b"from ..nets import y\nimport numpy",
    }
    assert user_code.strangers(files) == ["nets.py:3 imports einops", "pack/x.py:2 imports numpy"]


def test_only_the_collected_files_become_importable(tmp_path: Path) -> None:
    write(tmp_path, {"one_net.py": "import pack_of_nets.inner\nVALUE = 1", "pack_of_nets/inner.py": "", "other_net.py": ""})
    user_code.importable(tmp_path, user_code.collect(tmp_path, ["one_net"]))
    assert importlib.import_module("one_net").VALUE == 1
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("other_net")


def test_modules_of_another_folder_or_another_content_take_the_place_of_the_first(tmp_path: Path) -> None:
    for folder, value in ((tmp_path / "first", 1), (tmp_path / "second", 22)):
        write(folder, {"one_net.py": f"VALUE = {value}"})
        user_code.importable(folder, user_code.collect(folder, ["one_net"]))
        assert value == importlib.import_module("one_net").VALUE
    write(tmp_path / "second", {"one_net.py": "VALUE = 333"})
    user_code.importable(tmp_path / "second", user_code.collect(tmp_path / "second", ["one_net"]))
    assert importlib.import_module("one_net").VALUE == 333
    assert sum(type(finder).__name__ == "_Finder" for finder in sys.meta_path) == 1
