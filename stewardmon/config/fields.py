"""Which keys a settings model knows at a path: for saying what would be right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, get_args

from pydantic import BaseModel


def known_keys(model: type[BaseModel], path: Sequence[int | str] = ()) -> list[str]:
    """Return the keys of the model that stands at `path` below `model`, as files spell them."""
    models = [model]
    for step in path:
        below = [found for one in models for found in _below(one, step)]
        models = below or models
    return [key for one in models for key in _keys(one)]


def _keys(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _below(model: type[BaseModel], step: int | str) -> Iterator[type[BaseModel]]:
    for name, field in model.model_fields.items():
        if step in {name, field.alias}:
            yield from _models(field.annotation)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models inside an annotation: `list[A]`, `A | None`, `Annotated[A, …]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inside in get_args(annotation):
        yield from _models(inside)
