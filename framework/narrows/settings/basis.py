"""What every table of the settings is made of: bounded values, secrets that do not print, and no unknown key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, NoReturn, Self

import msgspec
from msgspec import Meta

Text = Annotated[str, Meta(min_length=1)]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Pause = Annotated[float, Meta(ge=0, le=86_400)]
Amount = Annotated[int, Meta(ge=1, le=2**31)]
Port = Annotated[int, Meta(ge=0, le=65_535)]


class Secret:
    """A secret value: it prints as `Secret(***)` in whatever form, and is read only by `reveal()`.

    No format, no encoder and no listing of an object's attributes finds the value, because none of them calls a
    function; and a secret cannot be pickled, so that no handler of logs sends it on.
    """

    __slots__ = ("_held",)

    def __init__(self, value: str) -> None:
        self._held: Callable[[], str] = lambda: value

    def reveal(self) -> str:
        """Return the secret itself."""
        return self._held()

    def __repr__(self) -> str:
        return "Secret(***)"

    def __format__(self, form: str) -> str:
        return format(repr(self), form)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._held() == self._held()

    def __hash__(self) -> int:
        return hash((Secret, self._held()))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _: object) -> Self:
        return self

    def __reduce_ex__(self, _: object) -> NoReturn:
        raise TypeError("a secret is not pickled")

    def __getstate__(self) -> NoReturn:
        raise TypeError("a secret has no state to be read")


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the settings."""
