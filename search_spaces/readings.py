"""What a name in an expression stands for: a field of the configuration that a candidate would be trained with.

A field that nothing sets for a candidate has its default; it is null where the configuration has none there, such as `momentum` beside
adam. A choice among mappings goes by the label. The values are read without building the configuration, which takes ten times as long.
"""

import functools
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, get_args

from search_spaces.conditions import active
from search_spaces.domains import Choice, Value, is_number
from search_spaces.operations import ANY_KIND, NUMBER, kind
from search_spaces.ranges import MAX_VALUES, Possible, Some, either
from search_spaces.settings import Constant, Parameter, Setting
from search_spaces.space import Space
from search_spaces.trial_fields import field
from search_spaces.wording import bare, models_in
from trainable.config.recipe import CHOOSERS, optional_fields
from trainable.config.train import LOOKAHEAD_ALPHA, TrainConfig

Known = Mapping[str, Value]
"""Path -> recorded value: of the active parameters, and of the constants that conditions look at."""


class Region(Protocol):
    """A part of a space, as `possible` asks about it."""

    def of(self, parameter: Parameter) -> Possible:
        """Return what a parameter's recorded value may be where it is active."""

    def active(self, setting: Setting) -> bool | None:
        """Say whether a setting applies in the whole region (True), nowhere in it (False), or here and there (None)."""


@dataclass(frozen=True, slots=True)
class Table:
    """A default that depends on another field.

    Attributes:
        by: The other field.
        defaults: Its value -> the default.
        other: The default for all further values.
    """

    by: "Reading"
    defaults: Mapping[Any, Any]
    other: Any = None


@dataclass(frozen=True)
class Reading:
    """One name.

    Attributes:
        path: The dotted path.
        settings: What may set it, of which at most one is active.
        items: Readings of its items, where the file gives a list of domains.
        default: What it is where nothing sets it: a value, or what decides about it, or another name for it.
        unsure: Whether it hangs on a part of the file that is not sound.
    """

    path: str
    settings: tuple[Setting, ...]
    items: tuple["Reading", ...]
    default: "Table | Reading | Value | Sequence[Any]"
    unsure: bool = False

    def value(self, known: Known) -> Any:
        """Return what a candidate has there; None for null."""
        found = self._set(known)
        if found is not None:
            return found
        match self.default:
            case Reading() as other:
                return other.value(known)
            case Table(by=by, defaults=defaults, other=other):
                return defaults.get(by.value(known), other)
        return self.default

    def possible(self, region: Region) -> Possible:
        """Return what it may be in a part of the space."""
        found: Possible = Some(())
        certain = False
        for setting in self.settings:
            applies = region.active(setting)
            if applies is not False:
                found = either(found, self._possible(setting, region))
                certain = certain or applies is True
        if self.items:
            found = either(found, self._listed(region))
        if certain and not (isinstance(found, Some) and None in found.values):
            return found
        default = self._default(region)
        if isinstance(found, Some):
            found = Some(tuple(value for value in found.values if value is not None))
        return either(found, default)

    @functools.cached_property
    def paths(self) -> frozenset[str]:
        """Return the settings that the value depends on, those behind its default included."""
        found = {setting.path for setting in self.settings}
        for other in (*self.items, self.default.by if isinstance(self.default, Table) else self.default):
            found |= other.paths if isinstance(other, Reading) else set()
        return frozenset(found)

    @functools.cached_property
    def values(self) -> tuple[Any, ...] | None:
        """Return all values that it can have; None where there are too many to list or they are not known."""
        if self.items or self.unsure:
            return None
        found: list[Any] = []
        for setting in self.settings:
            if isinstance(setting, Constant):
                found.append(setting.value)
            elif isinstance(setting.domain, Choice):
                found += [self._contents.get(name, name) for name in setting.domain.values()]
            else:
                return None
        match self.default:
            case Reading(values=values):
                return None if values is None else (*found, *values)
            case Table(defaults=defaults, other=other):
                return (*found, *defaults.values(), other)
        return (*found, self.default)

    @functools.cached_property
    def kinds(self) -> frozenset[str]:
        """Return the kinds of thing that it can be."""
        if self.unsure:
            return ANY_KIND
        found = {kind([])} if self.items else set()
        for setting in self.settings:
            match setting:
                case Constant(value=value):
                    found.add(kind(value))
                case Parameter(domain=Choice() as choice):
                    found |= {kind(self._contents.get(name, name)) for name in choice.values()}
                case _:
                    found.add(NUMBER)
        match self.default:
            case Reading(kinds=kinds):
                found |= kinds
            case Table(defaults=defaults, other=other):
                found |= {kind(value) for value in (*defaults.values(), other)}
            case value:
                found.add(kind(value))
        return frozenset(found)

    @functools.cached_property
    def _contents(self) -> Mapping[Value, Any]:
        """Return the lists that are recorded as text."""
        return {
            option.name: option.content
            for setting in self.settings
            if isinstance(setting, Parameter) and isinstance(setting.domain, Choice)
            for option in setting.domain.options
            if isinstance(option.content, list | tuple)
        }

    @functools.cached_property
    def _constants(self) -> tuple[Constant, ...]:
        return tuple(setting for setting in self.settings if isinstance(setting, Constant))

    @functools.cached_property
    def _searched(self) -> bool:
        return any(isinstance(setting, Parameter) for setting in self.settings)

    def _set(self, known: Known) -> Any:
        for constant in self._constants:
            if active(constant.conditions, known):
                return constant.value
        if self._searched and self.path in known:
            return self._contents.get(known[self.path], known[self.path])
        if self.items:
            found = [value for value in (item.value(known) for item in self.items) if value is not None]
            return found or None
        return None

    def _possible(self, setting: Setting, region: Region) -> Possible:
        if isinstance(setting, Constant):
            return Some((setting.value,))
        found = region.of(setting)
        return Some(tuple(self._contents.get(value, value) for value in found.values)) if isinstance(found, Some) else found

    def _listed(self, region: Region) -> Possible:
        """Return the lists that may come about, where they are few."""
        items = [item.possible(region) for item in self.items]
        known = [item.values for item in items if isinstance(item, Some)]
        if len(known) < len(items) or math.prod(map(len, known)) > MAX_VALUES:
            return None
        lists = ([value for value in values if value is not None] for values in itertools.product(*known))
        return Some(tuple(found or None for found in lists))

    def _default(self, region: Region) -> Possible:
        match self.default:
            case Reading() as other:
                return other.possible(region)
            case Table(by=by, defaults=defaults, other=default):
                found = by.possible(region)
                values = found.values if isinstance(found, Some) else (*defaults, object())
                return Some(tuple(defaults.get(value, default) for value in values))
        return Some((self.default,))


class Names:
    """Every name that expressions over one space may use."""

    def __init__(self, space: Space, base: Mapping[str, Any] | None) -> None:
        """Prepare to look up names.

        Args:
            space: The parsed `trial`.
            base: What the sweep decides as a whole, `Sweep.base_config()`; None where the file is not sound enough to say it.
        """
        self._base = base
        self._known: dict[str, Reading | None] = {}
        self._settings: dict[str, list[Setting]] = {}
        for setting in space.settings:
            self._settings.setdefault(setting.path, []).append(setting)

    def reading(self, path: str) -> Reading | None:
        """Return what a path stands for; None where there is no such field, or it is a mapping without a label."""
        if path not in self._known:
            self._known[path] = self._found(path)
        return self._known[path]

    def known(self) -> list[str]:
        """Return names to guess from: what the file sets, and the fields of a configuration."""
        fields = set(TrainConfig.model_fields)
        augment = {f"augment.{name}" for name in models_in(TrainConfig.model_fields["augment"].annotation)[0].model_fields}
        network = {f"model.{name}" for model in _families().values() for name in model}
        listed = {path for path in self._settings if not path.rpartition(".")[2].isdecimal()}
        lists = {path.rpartition(".")[0] for path in self._settings if path.rpartition(".")[2].isdecimal()}
        return sorted(fields | augment | network | listed | lists)

    def _found(self, path: str) -> Reading | None:
        settings = tuple(self._settings.get(path, ()))
        items = self._items(path)
        if not settings and not items and f"{path}.label" in self._settings:
            return self.reading(f"{path}.label")
        keys = tuple(path.split("."))
        if not settings and not items and (field(keys) in (None, Any) or models_in(bare(field(keys))[0])):
            return None
        default, unsure = self._default(keys) if field(keys) not in (None, Any) else (None, False)
        return Reading(path, settings, items, default, unsure)

    def _items(self, path: str) -> tuple[Reading, ...]:
        depth = path.count(".") + 1
        found = {other for other in self._settings if other.startswith(f"{path}.") and other.split(".")[depth].isdecimal()}
        indexes = sorted({int(other.split(".")[depth]) for other in found})
        return tuple(Reading(f"{path}.{i}", tuple(self._settings.get(f"{path}.{i}", ())), (), None) for i in indexes)

    def _default(self, keys: tuple[str, ...]) -> tuple[Any, bool]:
        """Return the default of a field, and whether it is not known yet."""
        match keys:
            case ("max_epochs" | "metric" | "data" | "seed", *_):
                return (_walked(self._base, keys), False) if self._base is not None else (None, True)
            case ("lookahead_alpha",):
                return Table(self._sure("lookahead_k"), {0: None}, LOOKAHEAD_ALPHA), False
            case ("dropout",):
                inside = tuple(self._settings.get("model.dropout", ()))
                return Reading("model.dropout", inside, (), TrainConfig.model_fields["dropout"].default), False
            case ("model", "dropout"):
                return self._sure("dropout"), False
            case ("model", "family"):
                builder = Reading("model.builder", tuple(self._settings.get("model.builder", ())), (), None)
                return Table(builder, {None: "resnet"}, "builder"), False
            case ("model", name):
                defaults = {family: fields.get(name) for family, fields in _families().items()}
                return Table(self._sure("model.family"), defaults), False
            case ("augment", name):
                return models_in(TrainConfig.model_fields["augment"].annotation)[0].model_fields[name].default, False
            case (name,):
                for chooser, choices in CHOOSERS.items():
                    if name in optional_fields(chooser):
                        return Table(self._sure(chooser), {choice: spec.fields.get(name) for choice, spec in choices.items()}), False
                return _plain(TrainConfig.model_fields[name].get_default()), False
        return None, False

    def _sure(self, path: str) -> Reading:
        reading = self.reading(path)
        assert reading is not None
        return reading


@functools.cache
def _families() -> Mapping[str, Mapping[str, Any]]:
    """Return family -> field -> default, None for a field without one."""
    return {
        get_args(model.model_fields["family"].annotation)[0]: {
            name: _plain(info.get_default(call_default_factory=False)) for name, info in model.model_fields.items()
        }
        for model in models_in(bare(TrainConfig.model_fields["model"].annotation)[0])
    }


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, str | bool | list | tuple) or is_number(value) else None


def _walked(base: Mapping[str, Any] | None, keys: Sequence[str]) -> Any:
    value: Any = base
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return _plain(value)
