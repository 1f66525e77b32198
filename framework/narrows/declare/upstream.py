"""Upstreams and their operations, as a team writes them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Concatenate, Generic, Literal, ParamSpec, TypeAlias, TypeVar

import msgspec

from narrows.current import current_call
from narrows.declare.example import Example
from narrows.errors import Problem

P = ParamSpec("P")
T = TypeVar("T")
Kind = Literal["read", "write"]

if TYPE_CHECKING:
    # The union with None makes a body of `...` legal for a type checker; nobody ever runs it.
    Answer: TypeAlias = Coroutine[Any, Any, T] | None
else:

    class Answer(Generic[T]):
        """What an operation answers: `-> Answer[Team]`."""


class Operation(Generic[P, T]):
    """One declared request to an upstream: on the class a declaration, called it is sent for the current call."""

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        kind: Kind,
        path: str,
        method: str,
        asks: str | None,
        price: str | None,
        problems: Mapping[int, type[Problem]],
        stand_in: Callable[..., Any] | None = None,
        names: Mapping[str, str] | None = None,
        holes: Sequence[str] = (),
        examples: Sequence[Example] = (),
    ) -> None:
        self.function = function
        self.kind: Kind = kind
        self.path = path
        self.method = method
        self.asks = asks
        self.price = price
        self.problems = dict(problems)
        self.stand_in = stand_in
        self.names = dict(names or {})
        self.holes = (holes,) if isinstance(holes, str) else tuple(holes)
        self.examples = tuple(examples)
        self.upstream: type[Upstream] | None = None
        self.name = function.__name__
        self.where = place_of(function)

    def __set_name__(self, owner: type[Any], name: str) -> None:
        self.name = name
        if issubclass(owner, Upstream):
            self.upstream = owner

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, T]:
        """Send this operation for the current call. Raises `OperationRefused` outside one."""
        return current_call(self.id).perform(self, args, kwargs)

    def times(self, count: int) -> Times:
        """Allow this operation `count` times in one call, instead of once."""
        return Times(self, count)

    @property
    def id(self) -> str:
        """The name in plans, effects and telemetry: `Tables.book`."""
        return f"{self.upstream.__name__}.{self.name}" if self.upstream else self.name

    def __repr__(self) -> str:
        return f"<{self.kind} {self.id}: {self.method} {self.path}>"


class Times(msgspec.Struct, frozen=True):
    """An operation that may run more than once in a call."""

    operation: Operation[..., Any]
    count: int


class Upstream:
    """A production API behind a BFF: a class of operations. Its settings are under its name in lower case."""

    key: str = ""
    operations: Mapping[str, Operation[..., Any]] = {}

    def __init_subclass__(cls) -> None:
        cls.key = cls.__name__.lower()
        cls.operations = {name: value for name, value in vars(cls).items() if isinstance(value, Operation)}


def read(
    path: str,
    *,
    asks: str | None = None,
    price: str | None = None,
    problems: Mapping[int, type[Problem]] | None = None,
    names: Mapping[str, str] | None = None,
    holes: Sequence[str] = (),
    examples: Sequence[Example] = (),
) -> Callable[[Callable[Concatenate[Any, P], Answer[T]]], Operation[P, T]]:
    """Declare an operation without effects (`GET path`).

    `asks` is the scope that the exchanged token must hold, `price` what one request costs (`0.01 EUR`), `problems` maps
    an upstream's status to a problem, `names` a parameter to the upstream's own name of it in the query. `examples` are
    what the sandbox answers with. `holes` says what is not expressed yet: with one left, nothing starts.
    """

    def declare(function: Callable[Concatenate[Any, P], Answer[T]]) -> Operation[P, T]:
        return Operation(
            function,
            kind="read",
            path=path,
            method="GET",
            asks=asks,
            price=price,
            problems=problems or {},
            names=names,
            holes=holes,
            examples=examples,
        )

    return declare


def write(
    path: str,
    *,
    method: Literal["POST", "PUT", "PATCH", "DELETE"] = "POST",
    asks: str | None = None,
    price: str | None = None,
    problems: Mapping[int, type[Problem]] | None = None,
    stand_in: Callable[..., Any] | None = None,
    names: Mapping[str, str] | None = None,
    holes: Sequence[str] = (),
    examples: Sequence[Example] = (),
) -> Callable[[Callable[Concatenate[Any, P], Answer[T]]], Operation[P, T]]:
    """Declare an operation with an effect. In a rehearsal it is never sent, and becomes an effect.

    `stand_in` makes the answer that a rehearsal gives in its place, from the same arguments; all else as in `read`.
    """

    def declare(function: Callable[Concatenate[Any, P], Answer[T]]) -> Operation[P, T]:
        return Operation(
            function,
            kind="write",
            path=path,
            method=method,
            asks=asks,
            price=price,
            problems=problems or {},
            stand_in=stand_in,
            names=names,
            holes=holes,
            examples=examples,
        )

    return declare


def place_of(function: Callable[..., Any]) -> str:
    """Where a function stands: `file:line`, that of its first decorator."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else "unknown:0"
