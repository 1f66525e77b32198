"""Types of msgspec as types of Strawberry: written once, and never a second time for GraphQL."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from inspect import Parameter as Argument
from inspect import Signature, cleandoc
from typing import Annotated, Any, Literal, Union

import msgspec
import strawberry
from msgspec import inspect as mi

from narrows.declare.shape import Parameter, bare
from narrows.declare.types import is_id
from narrows.surfaces.graphql.naming import Names, Place, are_values
from narrows.surfaces.graphql.scalars import Nothing, leaf, whole

Direction = Literal["output", "input"]

_LISTS = (mi.ListType, mi.SetType, mi.FrozenSetType, mi.VarTupleType)
_IN_VAIN = str  # stands where a type was refused, so that all that is wrong is told at once


class Extra(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A field that a team adds to a type, with the type of one of its values."""

    name: str
    place: Place
    parameters: Mapping[str, Parameter]
    answer: Any
    description: str
    deprecated: str | None = None


class Types:
    """Makes the types of one schema: of each Struct one output type, with what a team adds to it, and one input type.

    What cannot be made is put down in `names.refusals`. `structs` are the output types by name, `unions` those of
    several Structs, `defaults` what stands in for what is left out, by type and field.
    """

    def __init__(self, names: Names, extras: Mapping[type[msgspec.Struct], Iterable[Extra]] | None = None) -> None:
        self.names = names
        self.structs: dict[str, type[msgspec.Struct]] = {}
        self.unions: dict[str, tuple[type[msgspec.Struct], ...]] = {}
        self.enums: set[str] = set()
        self.defaults: dict[str, dict[str, Any]] = {}
        self._extras = dict(extras or {})
        self._made: dict[tuple[Direction, type[Any]], type[Any]] = {}
        self._enums: dict[tuple[Any, ...], Any] = {}

    def output(self, hint: Any, place: Place) -> Any:
        """The annotation of an answer; one that is nothing has the type `Nothing`, and is null."""
        if hint is None or hint is type(None):
            return Nothing | None
        return self._read(hint, place, "output", "its answer")

    def resolver(self, parameters: Iterable[Parameter], answer: Any, place: Place) -> Callable[..., Any]:
        """A function with the signature of a field, for Strawberry to read; nobody calls it."""

        def resolve(**_: Any) -> None: ...

        arguments = [self._argument(parameter, place.at(f"{place.path}_{parameter.name}")) for parameter in parameters]
        returned = self.output(answer, place)
        resolve.__signature__ = Signature(arguments, return_annotation=returned)  # type: ignore[attr-defined]
        resolve.__annotations__ = {one.name: one.annotation for one in arguments} | {"return": returned}
        return resolve

    def _argument(self, parameter: Parameter, place: Place) -> Argument:
        self.names.check(parameter.name, place)
        annotation = self._read(parameter.type, place, "input", parameter.name)
        if parameter.default is None:
            annotation = annotation | None
        default = Argument.empty if parameter.required else strawberry.UNSET
        return Argument(parameter.name, Argument.KEYWORD_ONLY, default=default, annotation=annotation)

    def _read(self, hint: Any, place: Place, way: Direction, said: str) -> Any:
        try:
            info = mi.type_info(hint)
        except Exception as error:  # msgspec raises whatever resolving the hints of foreign classes raises
            # Told in the words of `checks/types.py`, so that a start tells it once.
            rule = f"the type of {said} cannot be read ({error})"
            self.names.refuse("type-unsupported", place, rule, "use types that msgspec supports")
            return _IN_VAIN
        return self._of(info, place, way)

    def _of(self, info: Any, place: Place, way: Direction) -> Any:
        inner = bare(info)
        if is_id(info) and isinstance(inner, mi.StrType):
            return strawberry.ID
        if (found := leaf(inner)) is not None:
            return found
        match inner:
            case mi.StructType():
                return self._struct(inner, place, way)
            case mi.UnionType(types=members):
                return self._union([m for m in members if not isinstance(m, mi.NoneType)], members, place, way)
            case mi.LiteralType(values=values):
                return self._choice(values, place)
            case mi.EnumType(cls=cls):
                return self._choice(tuple(member.value for member in cls), place, cls)
        return self._several(inner, place, way)

    def _several(self, info: Any, place: Place, way: Direction) -> Any:
        """A list of any kind; a tuple of one type is one too, and has its own length."""
        if isinstance(info, mi.TupleType) and len(set(map(repr, info.item_types))) == 1:
            return list[self._of(info.item_types[0], place, way)]  # type: ignore[misc]
        if not isinstance(info, _LISTS):
            return self._refused(place, "GraphQL has no type for it")
        if info.max_length is None and way == "output":
            rule = f"the list at `{place.path}` may be of any length"
            self.names.refuse(
                "graphql-list-open", place, rule, "write Annotated[list[…], Meta(max_length=100)], with Meta of msgspec"
            )
        return list[self._of(info.item_type, place, way)]  # type: ignore[misc]

    def _union(self, members: list[Any], every: tuple[Any, ...], place: Place, way: Direction) -> Any:
        """`X | None`, or in an answer one of several Structs."""
        if len(members) == 1:
            found = self._of(members[0], place, way)
        elif way == "output" and all(isinstance(bare(member), mi.StructType) for member in members):
            found = self._one_of([bare(member) for member in members], place)
        else:
            return self._refused(place, "it is one of several types, and GraphQL knows that of objects in answers only")
        return found if len(members) == len(every) else found | None

    def _one_of(self, members: list[Any], place: Place) -> Any:
        members = sorted(members, key=lambda info: str(getattr(info.cls, "__name__", "")))
        made = tuple(self._struct(info, place, "output") for info in members)
        name = "Or".join(getattr(info.cls, "__name__", "") for info in members)
        structs = tuple(info.cls for info in members)
        if self.unions.setdefault(name, structs) == structs:
            self.names.claim(name, self.unions[name], place)
        return Annotated[Union[made], strawberry.union(name)]  # noqa: UP007  (made from values)

    def _choice(self, values: tuple[Any, ...], place: Place, cls: type[enum.Enum] | None = None) -> Any:
        """One of some values: an enum if GraphQL takes them as names, else what they are."""
        some = tuple(value for value in values if value is not None)
        if some and are_values(some):
            found = self._enum(some, place, cls)
        elif some and all(isinstance(value, str) for value in some):
            found = str
        elif some and all(type(value) is int for value in some):
            found = whole(some)
        else:
            return self._refused(place, "its values are not all texts, or all whole numbers")
        return found if len(some) == len(values) else found | None

    def _enum(self, values: tuple[str, ...], place: Place, cls: type[enum.Enum] | None) -> Any:
        """An enum of Python keeps its name; the same texts elsewhere are one enum, called by their first place."""
        key: tuple[Any, ...] = (cls,) if cls else tuple(sorted(values))
        if key not in self._enums:
            name = cls.__name__ if cls else place.path.replace("[]", "").replace(".", "_")
            self.names.claim(name, key, place)
            members = {f"v{i}": strawberry.enum_value(value, name=value) for i, value in enumerate(values)}
            made = enum.Enum(name, members)  # type: ignore[misc]  # the names are not known to a type checker
            self._enums[key] = strawberry.enum(made, name=name, description=_said(cls))
            self.enums.add(name)
        return self._enums[key]

    def _struct(self, info: Any, place: Place, way: Direction) -> Any:
        cls = info.cls
        if not isinstance(cls, type) or info.array_like:
            return self._refused(place, "it is generic, or written as an array, and GraphQL has objects of one form")
        if (way, cls) not in self._made:
            # Put down before its fields are looked at: they may lead back to it.
            made = self._made[way, cls] = type(cls.__name__, (), {"__annotations__": {}})
            name = cls.__name__ if way == "output" else f"{cls.__name__.removesuffix('Input')}Input"
            self.names.claim(name, (way, cls) if way == "input" else cls, place)
            self._fill(made, name, info, place, way)
        return self._made[way, cls]

    def _fill(self, made: type[Any], name: str, info: Any, place: Place, way: Direction) -> None:
        """Give a type its fields; their names in Python are of no use to anybody."""
        taken = set()
        for number, field in enumerate(info.fields):
            taken.add(field.encode_name)
            at = place.at(f"{info.cls.__name__}.{field.encode_name}")
            self.names.check(field.encode_name, at)
            annotation = self._of(field.type, at, way)
            self._absent(name, field, annotation, at, way)
            default = {} if way == "output" or field.required else {"default": strawberry.UNSET}
            made.__annotations__[f"f{number}"] = annotation
            setattr(made, f"f{number}", strawberry.field(name=field.encode_name, description=_meant(field), **default))
        description = _said(info.cls)
        if way == "input":
            strawberry.input(made, name=name, description=description)
            return
        self.structs[name] = info.cls
        for extra in self._extras.get(info.cls, ()):
            if extra.name in taken:
                rule = f"{name} has a field {extra.name} already"
                self.names.refuse("graphql-name-twice", extra.place, rule, "rename the one that is added")
            taken.add(extra.name)
            setattr(made, f"x_{extra.name}", self.field(extra))
        strawberry.type(made, name=name, description=description)

    def field(self, extra: Extra) -> Any:
        """A field with arguments, as Strawberry has it."""
        self.names.check(extra.name, extra.place)
        return strawberry.field(
            resolver=self.resolver(extra.parameters.values(), extra.answer, extra.place),
            name=extra.name,
            description=extra.description or None,
            deprecation_reason=extra.deprecated,
        )

    def _absent(self, name: str, field: Any, annotation: Any, place: Place, way: Direction) -> None:
        """What stands in for what is left out; GraphQL has nothing that may be left out, and must not be null."""
        if field.required:
            return
        nullable = type(None) in getattr(annotation, "__args__", ())
        default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
        if default is not msgspec.NODEFAULT:
            if way == "input":
                self.defaults.setdefault(name, {})[field.encode_name] = msgspec.to_builtins(default)
        elif way == "output" or not nullable:
            rule = f"`{place.path}` may be left out, which GraphQL cannot say"
            self.names.refuse("graphql-type", place, rule, "give it a default, such as `| None = None`")

    def _refused(self, place: Place, why: str) -> Any:
        remedy = "derive a class with named fields from narrows.Narrow or narrows.Input, or leave it out"
        self.names.refuse(
            "graphql-type", place, f"`{place.path}` is of a type that GraphQL does not have: {why}", remedy
        )
        return _IN_VAIN


def _said(cls: type[Any] | None) -> str | None:
    """The docstring of a class, if it has one of its own."""
    said = vars(cls).get("__doc__") if cls is not None else None
    return cleandoc(said) if said else None


def _meant(field: Any) -> str | None:
    """What a field is for, if its type says so."""
    schema = getattr(field.type, "extra_json_schema", None) or {}
    return schema.get("description")
