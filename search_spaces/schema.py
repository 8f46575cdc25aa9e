"""JSON Schema of the sweep file, for editors: what may stand where, with the description of every field.

It knows types and bounds. What spans fields (`when`, cycles, min_epochs against max_epochs) only `load.py` checks.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from search_spaces.domain_words import NUMERIC_WORDS, WHOLE
from search_spaces.sweep import Sweep
from search_spaces.trial_fields import ELSEWHERE
from trainable.config.train import TrainConfig

DIALECT = "https://json-schema.org/draft/2020-12/schema"
SEVERAL = "SearchedFamilies"
WHEN = {
    "type": "object",
    "minProperties": 1,
    "description": "The parameters that decide, each with the value or the list of values for which this applies.",
}


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a sweep file."""
    schema = Sweep.model_json_schema()
    train = TrainConfig.model_json_schema()
    definitions = schema["$defs"]
    for name, model in train["$defs"].items():
        definitions[f"Searched{name}"] = _group(model, extra={"label": {"type": "string"}, "when": {"$ref": "#/$defs/When"}})
    families = [part["$ref"].replace("#/$defs/", "Searched") for part in train["properties"]["model"]["oneOf"]]
    definitions[SEVERAL] = _several([definitions[name] for name in families])
    definitions["When"] = WHEN
    definitions["NumericDomain"] = _numeric_domain()
    fields = {name: field for name, field in train["properties"].items() if name not in ELSEWHERE}
    required = [name for name in train["required"] if name not in ELSEWHERE]
    about = schema["properties"]["trial"]["description"]
    schema["properties"]["trial"] = _group({"properties": fields, "required": required}) | {"description": about}
    return {"$schema": DIALECT, "$id": "shortlist-sweep", **schema}


def _group(model: Mapping[str, Any], extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the schema of a mapping of fields, each a constant or a domain."""
    properties = {**(extra or {}), **{name: _searched(field) for name, field in model["properties"].items()}}
    return {"type": "object", "additionalProperties": False, "properties": properties, "required": model.get("required", [])}


def _searched(field: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of one field under `trial`: a value, a domain, or alternatives with a `when`."""
    about = {key: field[key] for key in ("description", "default", "title") if key in field}
    value = _value({key: content for key, content in field.items() if key not in about})
    choice = {"choice": {"type": "array", "minItems": 1, "items": value, "description": "One of these, all equally likely."}}
    leaf = {"anyOf": [_with_when(choice), _with_when({"value": value}), {"$ref": "#/$defs/NumericDomain"}]}
    alternatives = {"type": "array", "minItems": 1, "items": leaf | {"required": ["when"]}}
    return {**about, "anyOf": [value, leaf, alternatives]}


def _value(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a field's value, in which mappings and lists may hold domains."""
    if "$ref" in schema:
        return {"$ref": schema["$ref"].replace("#/$defs/", "#/$defs/Searched")}
    result = dict(schema)
    if "anyOf" in result:
        result["anyOf"] = [_value(part) for part in result["anyOf"]]
    if "oneOf" in result:
        result["anyOf"] = [*(_value(part) for part in result.pop("oneOf")), {"$ref": f"#/$defs/{SEVERAL}"}]
    if result.get("type") == "array":
        result["items"] = {"anyOf": [result["items"], {"$ref": "#/$defs/NumericDomain"}]}
    return result


def _several(families: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the schema of a model whose family is searched: its fields are those of all families."""
    properties: dict[str, Any] = {}
    for family in families:
        for name, field in family["properties"].items():
            properties.setdefault(name, {"anyOf": []})["anyOf"].append(field)
    properties["family"] = {
        "type": "object",
        "required": ["choice"],
        "properties": {"choice": {"type": "array", "items": {"type": "string"}}},
    }
    return {"type": "object", "additionalProperties": False, "properties": properties, "required": ["family"]}


def _numeric_domain() -> dict[str, Any]:
    domains = []
    for word, names in NUMERIC_WORDS.items():
        numbers = {
            "type": "array",
            "items": {"type": "integer" if word in WHOLE else "number"},
            "minItems": len(names),
            "maxItems": len(names),
            "description": f"[{', '.join(names)}], low and high included.",
        }
        domains.append(_with_when({word: numbers}))
    return {"anyOf": domains}


def _with_when(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {**entry, "when": {"$ref": "#/$defs/When"}},
        "required": list(entry),
    }
