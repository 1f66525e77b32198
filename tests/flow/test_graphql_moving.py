"""A client moves to registered documents: what it ships already goes on, and what it still sends is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from tests.flow.graphql_site import SOUP, error, make_graphql_bff, post, sha256
from tests.unit.surfaces.site import site

RELAY = "0123456789abcdef0123456789abcdef"
MENU = {"data": {"menu": {"dishes": ["soup"]}}}


def moved(folder: Path) -> Any:
    """The cafe, where the document of the menu has the id that Relay gave it."""
    bff = make_graphql_bff(folder)
    bff.documents[0] = msgspec.structs.replace(bff.documents[0], ids=(RELAY,))
    return bff


async def test_a_client_goes_on_with_the_ids_that_it_ships(tmp_path: Path) -> None:
    """As with the hash and the name, under the guards and the name of the document; no other id leads there."""
    async with site(bff=moved(tmp_path)) as one:
        for own in (RELAY, "soup", f"sha256:{sha256(SOUP)}"):
            got = await post(one, {"documentId": own, "variables": {"team_id": 7}})
            assert (got.status, got.json) == (200, MENU), own
        assert (await post(one, {"documentId": RELAY, "variables": {"team_id": 8}})).status == 403
        assert {record["endpoint"] for record in one.records.calls()} == {"cafe.soup"}
        for other in (RELAY.upper(), RELAY[:-1], f"md5:{RELAY}", f"sha256:{RELAY}"):
            assert (await post(one, {"documentId": other, "variables": {"team_id": 7}})).status in (400, 404), other


async def test_text_in_another_layout_is_told_as_the_document_that_it_is(tmp_path: Path, monkeypatch: Any) -> None:
    """It is refused, because its hash is not that of the document; the team need not register it again."""
    async with site(bff=moved(tmp_path)) as one:
        find = one.app.plan.directory.find

        async def found(*who: str) -> Any:
            return msgspec.structs.replace(await find(*who), documents="log")  # type: ignore[type-var]

        monkeypatch.setattr(one.app.plan.directory, "find", found)
        got = await post(one, {"query": " ".join(SOUP.partition("\n")[2].split()), "variables": {"team_id": 7}})
        assert error(got)["type"] == "urn:narrows:problem:document-required"
        [event] = [record for record in one.records.all() if record["event"] == "document"]
        assert (event["what"], event["endpoint"], event["connector"]) == ("layout", "cafe.soup", "till")
        assert event["operation"] == "soup"
