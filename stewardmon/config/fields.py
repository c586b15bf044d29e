"""Which keys an entry, or settings, know at a path: for saying what would be right."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args, get_type_hints

from stewardmon.config.types import Entry
from stewardmon.settings import Settings

Model = type[Entry | Settings]


def known_keys(model: Model, path: Sequence[int | str] = ()) -> list[str]:
    """Return the keys of the model that stands at `path` below `model`, as files spell them."""
    models = [model]
    for step in path:
        below = [found for one in models for found in _below(one, step)]
        models = below or models
    return [key for one in models for key in _fields(one)]


def _fields(model: Model) -> Mapping[str, Any]:
    """Return the annotation of each key."""
    if issubclass(model, Settings):
        hints = get_type_hints(model, include_extras=True)
        fields = dataclasses.fields(model)  # type: ignore[arg-type]  # each Settings is one
        return {one.metadata.get("alias", one.name): hints[one.name] for one in fields}
    return {one.alias or name: one.annotation for name, one in model.model_fields.items()}


def _below(model: Model, step: int | str) -> Iterator[Model]:
    for key, annotation in _fields(model).items():
        if step == key:
            yield from _models(annotation)


def _models(annotation: Any) -> Iterator[Model]:
    """Yield the models inside an annotation: `list[A]`, `A | None`, `Annotated[A, …]`."""
    if isinstance(annotation, type) and issubclass(annotation, Entry | Settings):
        yield annotation
    for inside in get_args(annotation):
        yield from _models(inside)
