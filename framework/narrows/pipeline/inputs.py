"""Inputs that take anything, or as much as somebody likes to send, are refused at start."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import inspect as mi

from narrows.declare.shape import Parameter, bare, holds, leaves
from narrows.pipeline.step import Preparing

_OBJECTS = (mi.StructType, mi.DictType, mi.FrozenDictType, mi.TypedDictType, mi.DataclassType, mi.NamedTupleType)


def refuse_unsafe(preparing: Preparing) -> None:
    """Refuse what an endpoint must not take."""
    endpoint, shape = preparing.endpoint, preparing.shape
    if endpoint.kind == "read" and shape.body is not None:
        preparing.refuse("read-with-body", "a read takes no body", "make it a write, or take query parameters")
    if len(shape.of("body")) > 1:
        preparing.refuse("body-twice", "it takes more than one body", "put both into one narrows.Input")
    texts = (*shape.of("path"), *shape.of("query"))
    for parameter in texts:
        _refuse_text(preparing, parameter)
    for parameter in (*texts, *shape.of("body")):
        for leaf in leaves(parameter.type, parameter.name):
            refuse_leaf(preparing.refuse, leaf.path, bare(leaf.info))


def _refuse_text(preparing: Preparing, parameter: Parameter) -> None:
    """Refuse what no text can become: an object, or a default that is not of its own type."""
    name = parameter.name
    if any(isinstance(bare(leaf.info), _OBJECTS) for leaf in leaves(parameter.type)):
        remedy = f"take single values, or in a write the body as `{name}: MyInput`, without `| None`"
        preparing.refuse("input-object", f"`{name}` is an object, which path and query cannot hold", remedy)
    elif not parameter.required and parameter.default is not None and not holds(parameter.default, parameter.type):
        rule = f"the default of `{name}` is not of its own type"
        preparing.refuse("default-wrong", rule, f"give `{name}` a default within its bounds")


def refuse_leaf(refuse: Callable[[str, str, str], None], path: str, info: Any) -> None:
    """Refuse what takes anything, or as much as somebody likes to send."""
    match info:
        case mi.AnyType() | mi.RawType() | mi.CustomType():
            refuse("input-untyped", f"`{path}` takes anything", f"give `{path}` a type")
        case mi.StrType(max_length=None) | mi.BytesType(max_length=None):
            refuse(
                "input-unbounded",
                f"`{path}` is text without a bound",
                f"use a ready type such as ShortText, or Annotated[str, Meta(max_length=…)] for `{path}`",
            )
        case (
            mi.ListType(max_length=None)
            | mi.SetType(max_length=None)
            | mi.FrozenSetType(max_length=None)
            | mi.VarTupleType(max_length=None)
            | mi.DictType(max_length=None)
            | mi.FrozenDictType(max_length=None)
        ):
            refuse(
                "input-unbounded",
                f"`{path}` is a list without a bound",
                f"use Annotated[list[…], Meta(max_length=…)] for `{path}`",
            )
        case mi.StructType(forbid_unknown_fields=False, cls=cls):
            refuse(
                "input-open",
                f"{cls.__name__} takes unknown keys",
                f"derive {cls.__name__} from narrows.Input",
            )
