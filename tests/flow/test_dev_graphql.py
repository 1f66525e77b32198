"""`narrows dev` serves documents as it serves endpoints: listed, with a form for their variables, and callable."""

import hashlib

import pytest

from tests.unit.devkit.dev.trial import MINE, filled, make_asking, make_stage, visiting


async def test_documents_are_listed_apart_from_endpoints(tmp_path):
    """The index names each document with what its first line says; without GraphQL there are none."""
    async with visiting(make_stage(tmp_path, make_asking(tmp_path))) as visitor:
        board = (await visitor.get("/dev/api/board")).json()
    assert board["has_graphql"] is True
    assert [(one["id"], one["method"], one["path"], one["summary"]) for one in board["documents"]] == [
        ("trial.mine", "GET", "/graphql/mine", "What a team has booked."),
        ("trial.take", "POST", "/graphql/take", "Book a table."),
    ]
    assert not {one["id"] for one in board["documents"]} & {one["id"] for one in board["endpoints"]}
    async with visiting(make_stage(tmp_path)) as visitor:
        board = (await visitor.get("/dev/api/board")).json()
        assert (board["has_graphql"], board["documents"]) == (False, [])
        assert (await visitor.get("/dev/api/graphql")).status_code == 404


async def test_the_page_of_a_document_shows_its_source_and_its_variables(tmp_path):
    """An object among the variables has a field for each of its own; what may be left out is not asked for."""
    async with visiting(make_stage(tmp_path, make_asking(tmp_path))) as visitor:
        view = (await visitor.get("/dev/api/endpoints/trial.mine")).json()
        assert view["document"] == {"sha256": hashlib.sha256(MINE.encode()).hexdigest(), "source": MINE}
        assert [(one["pointer"], one["required"], one["filled"]) for one in view["fields"]] == [
            ("/variables/team_id", True, True),
            ("/variables/day", False, False),
        ]
        assert {"path": "day", "rule": "text of 1 to 100 characters"} in view["takes"]
        written = (await visitor.get("/dev/api/endpoints/trial.take")).json()
    found = {one["pointer"]: one["kind"] for one in written["fields"]}
    assert found["/variables/booking/contact/name"] == "text"
    assert found["/variables/booking/kind"] == "choice"
    assert view["live"] is True


@pytest.mark.parametrize("base", ["", "/rehearse", "/sandbox"])
async def test_the_form_of_a_document_sends_what_it_takes(tmp_path, base):
    """Each document answers the example that its own form begins with, to who holds its role and to nobody else."""
    async with visiting(make_stage(tmp_path, make_asking(tmp_path))) as visitor:
        for name, field in (("mine", "bookings"), ("take", "book")):
            view = (await visitor.get(f"/dev/api/endpoints/trial.{name}")).json()
            path, query, body = filled(view)
            more = {"params": query, **({"json": body} if body else {})}
            answer = await visitor.call("member", view["brief"]["method"], f"{base}{path}", **more)
            assert answer.status_code == 200, answer.text
            assert list(answer.json()["data"]) == [field]
            denied = await visitor.call("stranger", view["brief"]["method"], f"{base}{path}", **more)
            assert denied.status_code == 403
            assert len(denied.json()["errors"]) == 1


async def test_the_page_for_any_text_tells_the_schema(tmp_path):
    """Whoever writes a query reads there what can be asked."""
    async with visiting(make_stage(tmp_path, make_asking(tmp_path))) as visitor:
        asking = (await visitor.get("/dev/api/graphql")).json()
        assert "bookings(team_id: Long!" in asking["schema"]
        assert (asking["live"], asking["real"]) == (True, [])
        assert (await visitor.get("/dev/graphql")).text == (await visitor.get("/dev/")).text
