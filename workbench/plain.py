"""Frozen dataclasses as plain data for JSON, and back, refused in one line where they are of another shape."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from typing import Any

from workbench.errors import RecordError
from workbench.masking import masked


def from_json(text: str) -> Any:
    """Read JSON.

    Raises
    ------
    json.JSONDecodeError
        It is none.
    ValueError
        It is, but can't be read: nested too deep, or a number with too many digits.

    Examples
    --------
    >>> from_json("[" * 100_000 + "]" * 100_000)
    Traceback (most recent call last):
    ValueError: it is nested too deep to be read
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deep to be read") from None


def to_plain(value: Any) -> Any:
    """Turn dataclasses, tuples and NumPy scalars into what JSON holds; NaN becomes None."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {key: to_plain(getattr(value, item.name)) for key, item in json_fields(value).items()}
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    if hasattr(value, "item") and not isinstance(value, str | bytes):
        value = value.item()
    return None if isinstance(value, float) and value != value else value


def from_plain(annotation: Any, value: Any, where: str) -> Any:
    """Rebuild a value of the annotated type from plain data; the reverse of `to_plain`."""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if isinstance(annotation, type) and dataclasses.is_dataclass(annotation):
        if not isinstance(value, Mapping):
            raise RecordError(f"{where}: expected an object, found {type(value).__name__}")
        hints, known = typing.get_type_hints(annotation), json_fields(annotation)
        if unknown := sorted(set(value) - set(known)):
            raise RecordError(f"{where}: unknown field {unknown[0]!r}; it may come from a newer workbench")
        if missing := [key for key, item in known.items() if key not in value and _required(item)]:
            raise RecordError(f"{where}: the field {missing[0]!r} is missing")
        named = {known[key].name: (key, item) for key, item in value.items()}
        rebuilt = {name: from_plain(hints[name], item, f"{where}.{key}") for name, (key, item) in named.items()}
        try:
            return annotation(**rebuilt)
        except ValueError as error:  # of its own check
            raise RecordError(f"{where}: {error}") from error
    if origin in (tuple, list):
        if not isinstance(value, list | tuple):
            raise RecordError(f"{where}: expected a list, found {type(value).__name__}")
        return origin(from_plain(args[0], item, f"{where}[{index}]") for index, item in enumerate(value))
    if origin is dict:
        if not isinstance(value, Mapping):
            raise RecordError(f"{where}: expected an object, found {type(value).__name__}")
        return {key: from_plain(args[1], item, f"{where}.{key}") for key, item in value.items()}
    if annotation is Any:
        return value
    wanted = args if isinstance(annotation, types.UnionType) else (annotation,)
    if isinstance(value, Mapping) and (shaped := [kind for kind in wanted if dataclasses.is_dataclass(kind)]):
        return from_plain(shaped[0], value, where)
    accepted = (*wanted, int) if float in wanted else wanted
    if not isinstance(value, accepted) or (isinstance(value, bool) and bool not in wanted):
        names = " or ".join("null" if kind is types.NoneType else kind.__name__ for kind in wanted)
        raise RecordError(f"{where}: expected {names}, found {masked(repr(value)):.40}")
    return value


def json_fields(of: Any) -> dict[str, dataclasses.Field[Any]]:
    """Return the fields that stand in JSON by their keys there: a name such as ``try_`` goes without its underscore."""
    return {item.name.removesuffix("_"): item for item in dataclasses.fields(of) if item.metadata.get("json", True)}


def _required(item: dataclasses.Field[Any]) -> bool:
    return item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
