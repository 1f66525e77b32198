"""What a type checker must refuse: each line that ends in `# E: code` is one error of mypy, and no other line is."""

from __future__ import annotations

from narrows import Answer, Bff, Id, Input, Narrow, PageSize, Problem, Upstream, gather, read, write


class Team(Narrow):
    """A team."""

    id: int


class Booking(Narrow):
    """A booking."""

    id: Id


class NewBooking(Input):
    """A booking to make."""

    seats: PageSize


class People(Upstream):
    """The staff."""

    @read("/teams/{team_id}", asks="profiles:read")
    def team(self, team_id: int) -> Answer[Team]: ...

    @read("/teams", ask="profiles:read")  # E: call-arg
    def teams(self) -> Answer[list[Team]]: ...

    @read("/x", problems={404: ValueError})  # E: dict-item
    def other(self) -> Answer[Team]: ...

    @write("/x", method="GET")  # E: arg-type
    def hidden(self) -> Answer[Team]: ...

    @read("/x")  # E: arg-type
    def unmarked(self) -> Team: ...  # E: empty-body

    @read("/x", price=0.05)  # E: arg-type
    def priced(self) -> Answer[Team]: ...


class Tables(Upstream):
    """The bookings."""

    @write("/bookings")
    def book(self, team_id: int, booking: NewBooking) -> Answer[Booking]: ...


async def operations() -> None:
    """Arguments, answers and names are those of the declaration."""
    await People.team("one")  # E: arg-type
    await People.team()  # E: call-arg
    await People.team(1, 2)  # E: call-arg
    await People.team(team=1)  # E: call-arg
    await People.nobody()  # E: attr-defined
    booking: Booking = await People.team(1)  # E: assignment
    salary = (await People.team(1)).salary  # E: attr-defined
    await Tables.book(1, Booking(id="a"))  # E: arg-type
    People.team.times("five")  # E: arg-type
    print(booking, salary)


async def gathering() -> None:
    """Each answer keeps its type."""
    one, two = await gather(People.team(1), Tables.book(1, NewBooking(seats=1)))
    wrong: Booking = one  # E: assignment
    right: Booking = two
    only, more = await gather(People.team(1))  # E: misc
    print(wrong, right, only, more)


bff = Bff("lunch", exposure="everybody")  # E: arg-type


def plain() -> bool:
    """A rule."""
    return True


@bff.read("/a", role={"member"})  # E: call-arg
async def a() -> Team:
    """A guard that is none."""
    return await People.team(1)


@bff.read("/b", public="it is for everybody")  # E: call-arg
async def b() -> Team:
    """No endpoint of a team is public."""
    return await People.team(1)


@bff.read("/c", roles="member")  # E: arg-type
async def c() -> Team:
    """Roles are a set."""
    return await People.team(1)


@bff.read("/d", uses=[People])  # E: list-item
async def d() -> Team:
    """An upstream is no operation."""
    return await People.team(1)


@bff.read("/e", given={"team": plain})  # E: dict-item
async def e() -> Team:
    """A function is none either."""
    return await People.team(1)


@bff.read("/f", when=["plain"])  # E: list-item
async def f() -> Team:
    """A rule is a function."""
    return await People.team(1)


@bff.write("/g", method="GET")  # E: arg-type
async def g() -> Team:
    """A write is no GET."""
    return await People.team(1)


@bff.write("/h", status=302)  # E: arg-type
async def h() -> Team:
    """A success has the status of one."""
    return await People.team(1)


@bff.read("/i", rate=30)  # E: arg-type
async def i() -> Team:
    """A rate is text."""
    return await People.team(1)


@bff.read("/j", problems=[Problem()])  # E: list-item
async def j() -> Team:
    """Problems are declared by their class."""
    return await People.team(1)
