"""From the file's words to domains: `{loguniform: [1e-4, 1e-1]}` becomes a LogUniform, or a problem in plain words."""

from collections.abc import Iterator, Mapping
from typing import Any

from search_spaces.domains import Choice, Domain, LogRandInt, LogUniform, Option, QUniform, RandInt, Uniform, is_number, option_name, same
from search_spaces.errors import KeyPath, Problem
from search_spaces.wording import shown

# The numbers that each word takes; `choice` takes a list of options instead.
NUMERIC_WORDS: Mapping[str, tuple[str, ...]] = {
    "uniform": ("low", "high"),
    "loguniform": ("low", "high"),
    "quniform": ("low", "high", "q"),
    "randint": ("low", "high"),
    "lograndint": ("low", "high"),
}
WORDS = ("choice", *NUMERIC_WORDS)
WHOLE = ("randint", "lograndint")
MAX_STEPS = 1_000_000  # of one quniform; where more are wanted, uniform says the same without a list


def parse(word: str, argument: Any, path: KeyPath) -> tuple[Domain | None, list[Problem]]:
    """Make a domain of one entry of the file.

    Args:
        word: One of WORDS.
        argument: What stands beside it.
        path: Where `argument` stands, for the problems.

    Returns:
        The domain, or None; and what is wrong. A choice with some wrong options comes with the rest of them.
    """
    if word == "choice":
        return _choice(argument, path)
    if problems := list(_wrong_numbers(word, argument, path)):
        return None, problems
    low, high = argument[:2]
    match word:
        case "uniform":
            return Uniform(float(low), float(high)), []
        case "loguniform":
            return LogUniform(float(low), float(high)), []
        case "quniform":
            return QUniform(low, high, argument[2]), []
        case "randint":
            return RandInt(low, high), []
        case _:
            return LogRandInt(low, high), []


def _choice(argument: Any, path: KeyPath) -> tuple[Choice | None, list[Problem]]:
    if not isinstance(argument, list):
        return None, [Problem(path, shown(argument), "must be a list of options, such as [16, 32]")]
    if not argument:
        return None, [Problem(path, "an empty list", "must hold at least one option")]
    options: list[Option] = []
    problems: list[Problem] = []
    for index, content in enumerate(argument):
        if isinstance(content, dict) and not isinstance(content.get("label", ""), str):
            problems.append(Problem((*path, index, "label"), shown(content["label"]), "must be text; put it in quotes"))
            continue
        if isinstance(content, dict) and (words := [word for word in (*WORDS, "value") if word in content]):
            problems.append(
                Problem(
                    (*path, index, words[0]),
                    "a domain as an option",
                    "must be a value; give the parameter alternatives that each have a `when`",
                )
            )
            continue
        name = option_name(content)
        if any(same(name, option.name) for option in options):
            what = "with a label of its own" if isinstance(content, dict) else "that no other option has"
            problems.append(Problem((*path, index), f"{shown(name)} a second time", f"must be an option {what}; remove or rename one"))
            continue
        options.append(Option(name, content, index))
    return (Choice(tuple(options)) if options else None), problems


def _wrong_numbers(word: str, argument: Any, path: KeyPath) -> Iterator[Problem]:
    names = NUMERIC_WORDS[word]
    form = f"[{', '.join(names)}] with low <= high, both included"
    if not isinstance(argument, list):
        yield Problem(path, shown(argument), f"must be {form}")
        return
    if len(argument) != len(names):
        yield Problem(path, f"{len(argument)} numbers" if len(argument) != 1 else "1 number", f"must be {form}")
        return
    wrong = False
    for index, (name, number) in enumerate(zip(names, argument, strict=True)):
        if not is_number(number):
            yield Problem((*path, index), f"{name} is {shown(number)}", "must be a finite number")
            wrong = True
        elif word in WHOLE and not isinstance(number, int):
            yield Problem(
                (*path, index),
                f"{name} is {shown(number)}",
                f"must be a whole number; round it or use {word.replace('rand', '').replace('int', 'uniform')}",
            )
            wrong = True
    if wrong:
        return
    low, high = argument[:2]
    if word.startswith("log") and low <= 0:
        least, linear = (">= 1", "randint") if word == "lograndint" else ("> 0", "uniform")
        yield Problem((*path, 0), f"low is {shown(low)} on a log scale", f"must be {least}; raise low or use {linear}")
    if low > high:
        yield Problem(path, f"low {shown(low)} is above high {shown(high)}", f"must be {form}; swap them")
    if word == "quniform":
        q = argument[2]
        if q <= 0:
            yield Problem((*path, 2), f"q is {shown(q)}", "must be > 0; it is the step from one value to the next")
        elif (high - low) / q > MAX_STEPS:
            yield Problem((*path, 2), f"q is {shown(q)}, which makes more than {MAX_STEPS:,} steps", "must be larger; or use uniform")
