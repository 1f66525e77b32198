"""A small BFF that answers GraphQL, whose documents a test writes into a folder of its own."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta

from narrows import Answer, Bff, Id, Input, Moment, Narrow, NumberId, PageSize, ShortText, Upstream, read, write
from narrows.declare.document import Graphql
from narrows.declare.endpoint import Endpoint
from narrows.errors import Refusal, StartRefused
from narrows.surfaces.graphql.documents import make_documents
from narrows.surfaces.graphql.schema import make_schema

GUARDS: dict[str, Any] = {"roles": {"cook"}, "within": "team:{team_id}", "scope": "cafe", "rate": "1000/minute"}
FACTS: dict[str, Any] = {
    "version": "1.0.0",
    "owner": "cafe@example.com",
    "purpose": "Serve lunch",
    "exposure": "internal",
    "sensitivity": "internal",
    "importance": "low",
    "review_by": "2027-05-01",
}
DOCUMENT: dict[str, Any] = {"roles": {"cook"}, "within": "team:{team}", "scope": "cafe", "rate": "1000/minute"}


class Cook(Narrow):
    """Who cooks."""

    name: ShortText
    nick: ShortText | None = None


class Dish(Narrow, kw_only=True, omit_defaults=True):
    """Something to eat."""

    id: Id
    name: ShortText
    price: Decimal = Decimal("2.50")
    cook: Cook
    tags: Annotated[tuple[ShortText, ...], Meta(max_length=5)] = ()


class SecretDish(Dish, kw_only=True):
    """A dish of which the kitchen knows more."""

    recipe: str = "secret"


class Menu(Narrow):
    """What there is."""

    team: NumberId
    dishes: Annotated[list[Dish], Meta(max_length=20)]
    best: Dish | None = None


class Line(Input):
    """A line of an order."""

    dish: Id
    note: ShortText | None = None


class Order(Input):
    """What somebody wants."""

    team_id: NumberId
    lines: Annotated[list[Line], Meta(max_length=3)]
    size: Literal["small", "large"] = "small"


class Placed(Narrow):
    """What was ordered."""

    dishes: Annotated[list[Id], Meta(max_length=3)]
    size: str


class Kitchen(Upstream):
    """The kitchen."""

    @read("/menus/{team_id}", price="0.01 EUR")
    def menu(self, team_id: NumberId) -> Answer[Menu]: ...

    @write("/orders", price="0.05 EUR")
    def order(self, order: Order) -> Answer[None]: ...


def dish(name: str, **more: Any) -> SecretDish:
    """A dish."""
    return SecretDish(id=name, name=name, cook=Cook(name="Carla"), **more)


def make_bff(queries: Path, documents: Mapping[str, Mapping[str, Any]] | None = None, **bounds: Any) -> Bff:
    """The declarations; `documents` are the guards of documents by name."""
    bff = Bff("cafe", **FACTS)
    bff.graphql(queries=str(queries), **{"ceiling": "1.00 EUR", **bounds})

    @bff.read("/teams/{team_id}/menu", uses=[Kitchen.menu], **GUARDS)
    async def menu(team_id: NumberId) -> Menu:
        """What there is."""
        return await Kitchen.menu(team_id)

    @bff.read("/teams/{team_id}/dishes", uses=[], **GUARDS)
    async def dishes(
        team_id: NumberId,
        limit: PageSize = 5,
        below: Decimal | None = None,
        since: Moment | None = None,
    ) -> Annotated[list[Dish], Meta(max_length=50)]:
        """What there is, without asking."""
        found = [dish("soup"), dish("pie", price=Decimal("9.00"), tags=("hot",))]
        return [one for one in found if below is None or one.price < below][:limit]

    @bff.read("/teams/{team_id}/few", uses=[], **GUARDS)
    async def few(team_id: NumberId, few: Annotated[int, Meta(ge=1, le=3)] = 1) -> Annotated[int, Meta(ge=0, le=9)]:
        """A number."""
        return few

    @bff.read("/teams/{team_id}/counted", uses=[], **GUARDS)
    async def counted(
        team_id: NumberId,
        most: Annotated[int, Meta(ge=1, le=10)] = 10,
        sizes: Annotated[list[Literal["small", "large"]], Meta(max_length=2)] | None = None,
    ) -> Annotated[list[Annotated[int, Meta(ge=0, le=99)]], Meta(max_length=3)]:
        """Numbers."""
        return [most, len(sizes or ())]

    @bff.write("/teams/{team_id}/orders", uses=[Kitchen.order], unbound={"lines[].dish": "dishes are public"}, **GUARDS)
    async def order(team_id: NumberId, order: Order) -> Placed:
        """Order dishes."""
        await Kitchen.order(order)
        return Placed(dishes=[line.dish for line in order.lines], size=order.size)

    for name, guards in (documents or {}).items():
        bff.document(name, **guards)  # type: ignore[typeddict-item]  # a test writes what a team might
    return bff


def surface_of(bff: Bff) -> Graphql:
    """What a BFF says of its GraphQL."""
    assert bff.graphql_surface is not None
    return bff.graphql_surface


def compiled(folder: Path, source: str, name: str = "lunch", /, **over: Any) -> Endpoint:
    """One document as an endpoint."""
    bounds = {bound: over.pop(bound) for bound in ("depth", "aliases", "tokens", "ceiling") if bound in over}
    (folder / f"{name}.graphql").write_bytes(source.encode())
    bff = make_bff(folder, {name: DOCUMENT | over}, **bounds)
    [made] = make_documents(bff, surface_of(bff), make_schema(bff))
    return made


def refused(folder: Path, source: str, name: str = "lunch", /, **over: Any) -> list[Refusal]:
    """Why a document does not become an endpoint."""
    try:
        compiled(folder, source, name, **over)
    except StartRefused as error:
        return list(error.refusals)
    return []
