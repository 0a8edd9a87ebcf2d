"""Holds a dashboard against Grafana's schema, as grafana-foundation-sdk carries it:
the package is generated from Grafana's own definitions. A dashboard is read into its
types and written back; what does not come back is unknown to Grafana. Its reader takes
any value, so each is then held against the type that the schema declares."""

import enum
import json
import types
import typing
import warnings

with warnings.catch_warnings():
    # It would rather have the newer format, which is no classic JSON.
    warnings.simplefilter("ignore", DeprecationWarning)
    from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder

plugins.register_default_plugins()

VERSION = Dashboard().schema_version


def problems(dashboard):
    """What is wrong, each with its place."""
    return list(_of_model(dashboard, Dashboard, "dashboard"))


def _of_model(value, model, place):
    try:
        read = model.from_json(value)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        yield f"{place}: not readable as {model.__name__}: {error!r}"
        return
    written = json.loads(JSONEncoder().encode(read))
    yield from _lost(value, written, place)
    yield from _of_fields(read, place)


def _lost(ours, theirs, place):
    """Everything of ours must be in theirs, which has defaults beside it."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key, value in ours.items():
            if key in theirs:
                yield from _lost(value, theirs[key], f"{place}.{key}")
            elif value is not None:
                yield f"{place}.{key}: no such field"
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for index, (our, their) in enumerate(zip(ours, theirs)):
            yield from _lost(our, their, f"{place}[{index}]")
    elif ours != theirs:
        yield f"{place}: {ours!r} was read as {theirs!r}"


def _of_fields(read, place):
    for name, declared in typing.get_type_hints(type(read)).items():
        yield from _of_value(getattr(read, name), declared, f"{place}.{name}")


def _of_value(value, declared, place):
    origin, inner = typing.get_origin(declared), typing.get_args(declared)
    if origin in (typing.Union, types.UnionType):
        found = [list(_of_value(value, each, place)) for each in inner]
        if all(found):
            yield from min(found, key=len)
    elif origin is list and isinstance(value, list):
        for index, each in enumerate(value):
            yield from _of_value(each, inner[0], f"{place}[{index}]")
    elif origin is dict and isinstance(value, dict):
        for key, each in value.items():
            yield from _of_value(each, inner[1], f"{place}.{key}")
    elif origin is typing.Literal:
        if value not in inner:
            yield f"{place}: {value!r} is none of {', '.join(map(repr, inner))}"
    elif hasattr(value, "to_json"):
        yield from _of_fields(value, place)
    elif isinstance(declared, type) and hasattr(declared, "from_json") and isinstance(value, dict):
        yield from _of_model(value, declared, place)
    elif not _is(value, declared):
        yield f"{place}: {value!r} is no {getattr(declared, '__name__', declared)}"


def _is(value, declared):
    if declared in (object, typing.Any):
        return True
    if isinstance(declared, type) and issubclass(declared, enum.Enum):
        return value in [member.value for member in declared]
    if declared is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if declared is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(declared, type) and isinstance(value, declared)
