"""What tests read out of the documents: fenced blocks, the commands in them and everywhere else, headings as anchors."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>[a-z]*) ?(?P<name>\S*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block.

    Attributes:
        document: Where it stands.
        line: Of its first line within the document, 1-based.
        language: The word behind the fence.
        name: The second word: a file that the reader saves the block as; empty where there is none.
        text: What it holds.
    """

    document: Path
    line: int
    language: str
    name: str
    text: str

    def __str__(self) -> str:
        return f"{self.document.relative_to(ROOT)}:{self.line}"


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a console block, and the lines that the document shows below it."""

    command: str
    shown: tuple[str, ...]


def documents() -> list[Path]:
    """Return every page for people."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(document: Path, language: str) -> list[Block]:
    """Return the fenced blocks of one language, in order."""
    text = document.read_text()
    return [
        Block(document, text.count("\n", 0, found.start()) + 2, language, found["name"], found["text"])
        for found in FENCE.finditer(text)
        if found["language"] == language
    ]


def steps(block: Block) -> Iterator[Step]:
    """Yield the commands of a console block: lines behind `$ `, with the output up to the next one."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, *shown = part.rstrip("\n").split("\n")
        yield Step(command, tuple(shown))


def calls(document: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield line and words of every call of `shortlist` that a reader could type: lines of blocks, `$ ` or not, and code in sentences."""
    for number, line in enumerate(document.read_text().splitlines(), 1):
        typed = re.match(r"(?:    |\$ |    \$ )(?:[A-Z_]+=\S+ )*(shortlist .*)", line)
        for text in [typed[1]] if typed else re.findall(r"`(shortlist [^`]+)`", line):
            for call in re.split(r" (?:&&|\|) ", re.sub(r"\$\([^)]*\)", "SUBSTITUTED", text)):
                words = shlex.split(call, comments=True)
                if words[0] == "shortlist":
                    yield number, words[1 : words.index(">") if ">" in words else None]


def anchors(document: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    found: set[str] = set()
    text = re.sub(FENCE, "", document.read_text())
    for heading in re.findall(r"(?m)^#+ (.+)$", text):
        slug = re.sub(r"[^\w\- ]", "", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()).replace(" ", "-")
        number = next(number for number in range(len(found) + 1) if (f"{slug}-{number}" if number else slug) not in found)
        found.add(f"{slug}-{number}" if number else slug)
    return found
