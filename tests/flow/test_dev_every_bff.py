"""Every BFF of the repository can be tried with `narrows dev` as it is: no world, no secret, no upstream."""

import inspect
from importlib import import_module
from pathlib import Path

import pytest

from tests.unit.devkit.dev.trial import filled, make_stage, visiting

BFFS = Path(__file__).parents[2] / "bffs"
NAMES = sorted(file.parent.name for file in BFFS.glob("*/app.py"))


def holder(board, roles):
    """Somebody who holds one of the roles, in the place that the form begins with."""
    return next(one["name"] for one in board["people"] if any(held.split(" in ")[0] in roles for held in one["holds"]))


def rules_of_given(bff, endpoint_id):
    """The names of the rules that judge what an endpoint reads first."""
    endpoint = next(one for one in bff.endpoints if one.id == endpoint_id)
    return [rule.__name__ for rule in endpoint.when if endpoint.given.keys() & inspect.signature(rule).parameters]


@pytest.mark.parametrize("name", NAMES)
async def test_each_endpoint_answers_the_example_of_its_form_in_every_mode(tmp_path, name):
    """What the page is filled with works at once, made up, rehearsed and live; and not for a stranger.

    Whether a rule holds for an object that was made up is chance, so outside the sandbox it may say no, by its name.
    """
    bff = import_module(f"bffs.{name}.app").bff
    async with visiting(make_stage(tmp_path, bff, settings=str(BFFS / name / "narrows.toml"))) as visitor:
        board = (await visitor.get("/dev/api/board")).json()
        assert board["endpoints"]
        for brief in board["endpoints"]:
            view = (await visitor.get(f"/dev/api/endpoints/{brief['id']}")).json()
            path, query, body = filled(view)
            who = holder(board, view["facts"]["roles"])
            more = {"params": query, **({"json": body} if body else {})}
            receipt = {}
            for base in ("/sandbox", "/rehearse", ""):
                headers = receipt if base == "" else {}
                answer = await visitor.call(who, brief["method"], base + path, headers=headers, **more)
                ruled = base != "/sandbox" and any(rule in answer.text for rule in rules_of_given(bff, brief["id"]))
                assert answer.status_code < 300 or (ruled and answer.status_code == 403), (
                    brief["id"],
                    base,
                    answer.text,
                )
                assert (await visitor.call("stranger", brief["method"], base + path, **more)).status_code == 403
                if "rehearsal-receipt" in answer.headers:
                    receipt = {"rehearsal-receipt": answer.headers["rehearsal-receipt"]}


def test_there_are_some():
    """The test above looks where the BFFs are."""
    assert "where2eat" in NAMES
