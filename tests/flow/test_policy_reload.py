"""Policies are files that people edit: an edit holds from the next request, and a broken one changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flow.world import World, world

ANNA = "g, user:corp|anna, role:member, team:7\ng, user:corp|anna, role:organiser, team:7\n"
BEN = "g, user:corp|ben, role:member, team:7\n"


async def seen(made: World) -> tuple[int, int]:
    """What anna and ben are answered."""
    return (
        (await made.get("/teams/7/bookings", "anna")).status_code,
        (await made.get("/teams/7/bookings", "ben")).status_code,
    )


def over(file: Path, wait_s: float = 0) -> dict[str, object]:
    """Settings in which one policy file alone grants roles."""
    return {"issuers": {"corp": {"roles": []}}, "policies": [str(file)], "policy_check_s": wait_s}


async def test_an_edit_holds_from_the_next_request(tmp_path: Path) -> None:
    """Who is added gets in, who is taken out does not, while the application runs."""
    file = tmp_path / "teams.csv"
    file.write_text(ANNA)
    async with world(**over(file)) as made:
        assert await seen(made) == (200, 403)
        file.write_text(ANNA + BEN)
        assert await seen(made) == (200, 200)
        file.write_text(BEN)
        assert await seen(made) == (403, 200)


async def test_a_replaced_file_is_seen(tmp_path: Path) -> None:
    """An editor that writes beside the file and renames it is noticed too."""
    file = tmp_path / "teams.csv"
    file.write_text(ANNA)
    async with world(**over(file)) as made:
        (tmp_path / "new.csv").write_text(BEN)
        (tmp_path / "new.csv").rename(file)
        assert await seen(made) == (403, 200)


@pytest.mark.parametrize(
    "broken",
    [
        "nonsense\n",
        BEN + "p, *, *, *, allow\n",
        "g, ben, member, 7\n",
        "g, role:a, role:b, team:7\ng, role:b, role:a, team:7\n",
        "\x00",
        None,
    ],
    ids=["nonsense", "star", "forms", "circle", "NUL", "gone"],
)
async def test_a_broken_file_keeps_the_old_policy(tmp_path: Path, broken: str | None) -> None:
    """A file that does not load, or is gone, changes nothing; the next good one holds again."""
    file = tmp_path / "teams.csv"
    file.write_text(ANNA)
    async with world(**over(file)) as made:
        file.unlink() if broken is None else file.write_text(broken)
        assert await seen(made) == (200, 403)
        file.write_text(BEN)
        assert await seen(made) == (403, 200)


async def test_files_are_looked_at_as_often_as_the_settings_say(tmp_path: Path) -> None:
    """Between two looks the old policy holds, at most as long as `policy_check_s`."""
    file = tmp_path / "teams.csv"
    file.write_text(ANNA)
    async with world(**over(file, 5)) as made:
        assert await seen(made) == (200, 403)
        file.write_text(BEN)
        made.clock.move(4)
        assert await seen(made) == (200, 403)
        made.clock.move(1)
        assert await seen(made) == (403, 200)
