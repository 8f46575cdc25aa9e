"""House rules that no linter knows: what is in the tree, what it may name, what may import what at most."""

import ast
import re
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from search_spaces.load import load

ROOT = Path(__file__).parent.parent
PACKAGES = ("search_spaces", "trainable", "tuner", "results")
MAX_LINES = 400
TEXT = {".py", ".md", ".toml", ".txt", ".yaml", ".yml", ".cfg", ".sh", ".svg", ".html", ".css", ".js", ".expected", ""}

# What a part of the tree may import besides the standard library; an import-linter contract can only forbid. Names of ours are modules.
AT_MOST = {
    "search_spaces": {"annotated_types", "numpy", "pydantic", "pydantic_core", "ruamel", "search_spaces", "trainable.config"},
    "trainable/config": {"pydantic", "trainable.config"},
    "trainable/models": {"torch"},
    "tuner/schedulers": {"results.events", "search_spaces.scheduler_options", "tuner.decisions", "tuner.rungs", "tuner.schedulers"},
}


def files() -> list[Path]:
    """Return every file that is, or is about to be, in the repository; the installed package has no repository."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"], capture_output=True, text=True, check=True
    )
    return [path for name in listed.stdout.splitlines() if (path := ROOT / name).is_file()]


def python_files() -> list[Path]:
    return [path for path in files() if path.suffix == ".py"]


def modules() -> list[Path]:
    return [path for path in python_files() if path.relative_to(ROOT).parts[0] in PACKAGES and path.name != "__init__.py"]


def imports(path: Path) -> Iterator[str]:
    """Yield the module of every import statement in a file, inside functions, too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_no_line_names_a_registry_host_or_the_folder_it_was_written_in() -> None:
    # Put together here, so that this file does not name them.
    hosts = ["pypi" + ".org", "python" + "hosted", "npm" + "js.", "deb" + ".debian", "download.py" + "torch"]
    pattern = re.compile("|".join(re.escape(name) for name in [*hosts, f"{ROOT}/"]))
    found = [
        f"{relative(path)}:{number}: {line.strip()}"
        for path in files()
        if path.suffix in TEXT
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == []


def pins() -> dict[str, str]:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line) for line in lines), (
        "names and versions only: no URL, no local version"
    )
    return {name.lower().replace("_", "-").replace(".", "-"): version for name, version in (line.split("==") for line in lines)}


def test_constraints_pin_every_dependency_within_its_bounds() -> None:
    from packaging import requirements

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = pins()
    texts = [*project["dependencies"], *(text for extra in project["optional-dependencies"].values() for text in extra)]
    for text in texts:
        requirement = requirements.Requirement(text)
        if requirement.name == project["name"]:  # an extra that takes in others
            continue
        assert requirement.specifier.contains(pinned[requirement.name.lower().replace("_", "-").replace(".", "-")]), text


def test_nothing_that_is_stored_is_unpickled() -> None:
    """A pickle runs whatever its writer wanted, and whoever can write to the storage can write one."""
    loads = (
        "torch.load",
        "pickle.load",
        "pickle.loads",
        "pickle.Unpickler",
        "joblib.load",
        "cloudpickle.load",
        "cloudpickle.loads",
        "np.load",
    )
    found = []
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or (call := ast.unparse(node.func)) not in loads:
                continue
            given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            safe = given.get("weights_only") == "True" if call == "torch.load" else call == "np.load" and "allow_pickle" not in given
            if not safe:
                found.append(f"{relative(path)}:{node.lineno}: {call}")
    assert found == []


def test_every_module_says_what_it_is_for() -> None:
    nameless = [relative(path) for path in modules() if not ast.get_docstring(ast.parse(path.read_text()))]
    assert nameless == []


def test_no_python_file_is_longer_than_a_reader_bears() -> None:
    assert [relative(path) for path in python_files() if len(path.read_text().splitlines()) > MAX_LINES] == []


def test_init_files_are_empty() -> None:
    assert [relative(path) for path in files() if path.name == "__init__.py" and path.read_text().strip()] == []


def readme_tree() -> set[str]:
    """Return the paths in the README's file tree: two more spaces of indentation are one folder down."""
    found = set()
    folders: list[str] = []
    section = (ROOT / "README.md").read_text().split("## Where things are", 1)[1].split("\n## ", 1)[0]
    for line in section.splitlines():
        if not (match := re.match(r"    ( *)(\S+)", line)):
            continue
        depth, name = len(match[1]) // 2, match[2]
        del folders[depth:]
        if name.endswith("/"):
            folders.append(name)
        else:
            found.add("".join(folders) + name)
    return found


def test_readme_tree_names_every_module_and_nothing_else() -> None:
    sweeps = [path for path in files() if path.parent == ROOT / "search_spaces" and path.suffix == ".yaml"]
    assert readme_tree() == {relative(path) for path in [*modules(), *sweeps]}


@pytest.mark.parametrize("part", AT_MOST)
def test_a_part_imports_no_more_than_it_may(part: str) -> None:
    checked = [path for path in modules() if relative(path).startswith(f"{part}/")]
    assert checked, f"no file in {part}"
    allowed = AT_MOST[part]
    strangers = [
        f"{relative(path)} imports {name}"
        for path in checked
        for name in imports(path)
        if name.split(".")[0] not in sys.stdlib_module_names and not any(f"{name}.".startswith(f"{prefix}.") for prefix in allowed)
    ]
    assert strangers == []


def test_no_ignore_pattern_hides_a_package() -> None:
    """An ignore pattern that hides one of the packages would leave its new files out of every commit."""
    names = [f"{package}/new_file.py" for package in PACKAGES]
    ignored = subprocess.run(["git", "-C", str(ROOT), "check-ignore", *names], capture_output=True, text=True)
    assert ignored.stdout == ""
    assert ignored.returncode == 1  # 0: something is ignored; above 1: git failed


def test_every_make_command_in_the_documents_exists() -> None:
    goals = set(re.findall(r"(?m)^([a-z]+):", (ROOT / "Makefile").read_text()))
    for document in ("README.md", "CONTRIBUTING.md"):
        named = set(re.findall(r"(?m)(?:^    |`)make ([a-z]+)", (ROOT / document).read_text()))
        assert named
        assert named <= goals


def test_ci_runs_the_test_command_of_the_readme() -> None:
    script = ROOT / ".ci" / "run"
    assert "make test" in script.read_text().splitlines()
    assert "    make test " in (ROOT / "README.md").read_text()
    assert script.stat().st_mode & 0o111


def test_sweep_file_of_the_readme_has_no_mistakes(tmp_path: Path) -> None:
    section = (ROOT / "README.md").read_text().split("## A sweep file", 1)[1]
    block = re.search(r"(?m)(?:^    .*\n)+", section)
    assert block is not None
    file = tmp_path / "sweep.yaml"
    file.write_text(textwrap.dedent(block[0]))
    sweep = load(file, ["data.name=digits", "data.path=null"])  # the folder it names is the reader's
    assert sweep.name == "my-sweep"
