"""The chapter about GraphQL: one document that was registered ahead, and query text that was not."""

import json
from pathlib import Path
from typing import Any

import httpx

from .client import rfc3339
from .demo_audit import Log
from .demo_walk import TEAM, Walk

_DOCUMENT = Path(__file__).parents[2] / "bffs" / "where2eat" / "queries" / "lunch.graphql"
_FIELDS = ["where2eat.team", "where2eat.dining_suggestions", "where2eat.team_bookings"]
_AD_HOC = "{ team(team_id: 7) { id size office { lat lon } } }"


async def one_document(walk: Walk, root: Path) -> None:
    """Team, places and bookings in one request; and text that nobody registered."""
    walk.story.chapter("Anna asks for all of that in one request: the document `lunch`, registered ahead")
    await _asked(walk)
    await _recorded(walk, root)
    await _by_another(walk)
    await _not_registered(walk)


async def _asked(walk: Walk) -> None:
    story, variables = walk.story, {"team_id": TEAM, "open_at": rfc3339(walk.at), "limit": 5}
    before = [(it.method, it.path) for it in await walk.witnesses.all_received()]
    answer = await walk.call("anna", "GET", "/graphql/lunch", params={"variables": json.dumps(variables)})
    data: dict[str, Any] = answer.json().get("data", {}) if answer.status_code == 200 else {}
    after = [(it.method, it.path) for it in await walk.witnesses.all_received()]
    wanted = ["team", "dining_suggestions", "team_bookings"]
    story.claim("one request brings the team, where it can eat, and its bookings", [*data] == wanted, answer)
    eaters = data.get("team", {}).get("eaters")
    story.note(
        f"{data.get('team', {}).get('size')} members: {eaters}, {len(data.get('dining_suggestions', []))} places"
    )
    query: dict[str, Any] = {"open_at": variables["open_at"], "limit": 5}
    same = await walk.call("anna", "GET", f"/teams/{TEAM}/dining-suggestions", params=query)
    found = data.get("dining_suggestions")
    known = [{name: one.get(name) for name in found[0]} for one in same.json()] if found else None
    story.claim("the places are those that the endpoint answers, by the same rules", found == known, same)
    sent = len(after) - len(before)
    story.claim("the services were sent four requests for it, as by the three endpoints", sent == 4, sent)


async def _recorded(walk: Walk, root: Path) -> None:
    asked = ["--endpoint", "where2eat.lunch", "--format", "json"]
    lines = (await Log(walk, root).run("search", *asked)).text.splitlines()
    record: dict[str, Any] = json.loads(lines[-1]) if lines else {}
    told = [(it["endpoint"], it["outcome"]) for it in record.get("fields", [])]
    story, wanted = walk.story, [(name, "ok") for name in _FIELDS]
    story.claim(
        "the audit log has one record of it, which says by which rule each field was decided", told == wanted, record
    )
    for field in record.get("fields", []):
        story.note(f"{field['endpoint']}: {field['rule']}")


async def _by_another(walk: Walk) -> None:
    story, before = walk.story, len(await walk.witnesses.all_received())
    answer = await walk.call("olga", "GET", "/graphql/lunch", params={"variables": json.dumps({"team_id": TEAM})})
    story.claim("Olga, who is not in the team, is denied the same document: 403", _is(answer, 403, "forbidden"), answer)
    story.claim("no service heard of it", len(await walk.witnesses.all_received()) == before)


async def _not_registered(walk: Walk) -> None:
    story, before = walk.story, len(await walk.witnesses.all_received())
    story.chapter("Anna's copilot sends a query of its own, which nobody registered")
    answer = await walk.call("anna", "POST", "/graphql", json={"query": _AD_HOC})
    story.claim("it is refused: 400, one error with a remedy", _is(answer, 400, "document-required"), answer)
    for error in answer.json().get("errors", []):
        story.note(f"{error['message']} {error['extensions']['remedy']}")
    text = {"query": _DOCUMENT.read_text(encoding="utf-8"), "variables": {"team_id": TEAM}}
    same = await walk.call("anna", "POST", "/graphql", json=text)
    story.claim(
        "so is the text of `lunch` itself: the copilot may name it by its id alone", same.status_code == 400, same
    )
    asked = await walk.call("anna", "POST", "/graphql", json={"query": "{ __schema { types { name } } }"})
    story.claim("and what types there are is told to nobody", _is(asked, 400, "document-required"), asked)
    story.claim("no service heard of any of it", len(await walk.witnesses.all_received()) == before)


def _is(answer: httpx.Response, status: int, problem: str) -> bool:
    errors = answer.json().get("errors", [])
    return answer.status_code == status and [e["extensions"]["type"].rpartition(":")[2] for e in errors] == [problem]
