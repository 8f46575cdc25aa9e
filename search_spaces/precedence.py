"""Which setting comes before which, and which can apply at all."""

from collections.abc import Iterator, Sequence

from search_spaces.conditions import Condition, cycles
from search_spaces.errors import KeyPath, Problem, dotted
from search_spaces.settings import Parameter, Setting
from search_spaces.wording import listed, shown


def in_order(settings: Sequence[Setting], broken: set[str]) -> tuple[list[Setting], list[Problem]]:
    """Put every setting after those that its conditions look at, otherwise in the order given.

    Args:
        settings: In the order of the file.
        broken: Paths that something is wrong with; those of a circle are added, and left out of the result.

    Returns:
        The settings, and a problem for each circle.
    """
    problems: list[Problem] = []
    by_path: dict[str, list[Setting]] = {}
    for setting in settings:
        by_path.setdefault(setting.path, []).append(setting)
    waits_for = {path: [c.path for setting in group for c in setting.conditions] for path, group in by_path.items()}
    for circle in cycles(waits_for):
        others = set(circle)
        culprit = next(c for s in settings if s.path in others for c in s.conditions if c.path in others)
        trail = ", ".join(f"{path} waits for {other}" for path, other in zip(circle, (*circle[1:], circle[0]), strict=True))
        problems.append(Problem(culprit.place, trail, "must not form a circle; remove one `when`"))
        for path in circle:
            broken.add(path)
            by_path.pop(path, None)
    ordered: list[Setting] = []
    done: set[str] = set()

    def append(path: str) -> None:
        if path not in done and path in by_path:
            done.add(path)
            for other in waits_for[path]:
                append(other)
            ordered.extend(by_path[path])

    for path in list(by_path):
        append(path)
    return ordered, problems


def possible(settings: Sequence[Setting], broken: set[str]) -> tuple[tuple[Setting, ...], list[Problem]]:
    """Leave out what can never apply.

    A condition on a value that a searched parameter never takes is a problem. A constant just decides, so that
    `-s trial.optimizer=adam` silences what is meant for sgd instead of failing.

    Args:
        settings: Each after all that its conditions look at.
        broken: Paths that something is wrong with; those that wait for one are added, and left out of the result.

    Returns:
        The settings that can apply, and the problems.
    """
    problems: list[Problem] = []
    kept: dict[str, list[Setting]] = {}
    told: set[KeyPath] = set()
    for setting in settings:
        if any(condition.path in broken for condition in setting.conditions):
            broken.add(setting.path)
            continue
        for condition in setting.conditions:
            deciders = kept.get(condition.path, [])
            if not any(isinstance(decider, Parameter) for decider in deciders) or condition.place in told:
                continue
            told.add(condition.place)
            problems += _never(condition, deciders)
        if all(any(d.might_be(v) for d in kept.get(c.path, []) for v in c.values) for c in setting.conditions):
            kept.setdefault(setting.path, []).append(setting)
    return tuple(setting for group in kept.values() for setting in group), problems


def _never(condition: Condition, deciders: Sequence[Setting]) -> Iterator[Problem]:
    if continuous := [d for d in deciders if isinstance(d, Parameter) and d.domain.values() is None]:
        yield Problem(
            condition.place,
            f"{condition.path} is drawn from a continuous domain at {dotted(continuous[0].place)}",
            "must be a choice or a constant",
        )
        return
    for value in condition.values:
        if not any(decider.might_be(value) for decider in deciders):
            options = [v for d in deciders if isinstance(d, Parameter) for v in (d.domain.values() or ())[:12]]
            yield Problem(
                condition.place, f"{shown(value)}, which {condition.path} never is", f"must be among its values: {listed(options)}"
            )
