import json

import pytest

from narrows.audit.log import RecordLog
from narrows.errors import Unavailable
from narrows.governance.connectors import Governor, Operator, no_policy
from narrows.governance.rotation import rotate
from narrows.settings import Secret
from narrows.stores.connectors import MemoryConnectors
from narrows.stores.registry import is_approved
from narrows.testing import Clock
from tests.flow.minimal import make_bff, make_settings
from tests.unit.declare.records import CARLA, DANA, ERIK, FIELDS, Office, record

WIDER = {"scopes": ["lunch:read", "data:export"]}
NARROWER = {"endpoints": ["lunch.team"]}


async def test_a_new_connector_is_a_draft():
    """However it is written, nobody has approved it."""
    office = Office()
    [difference] = await office.apply(record())
    assert (difference.kind, difference.before, difference.after) == ("new", None, "draft")
    entry = await office.governor.find("lunch-app")
    assert (entry.state, entry.approval, entry.version) == ("draft", None, "1.0+1")


async def test_two_approvals_make_it_live():
    """Draft, trial, live: one step at a time, and each is kept with who did it and when."""
    office = Office()
    await office.apply(record())
    trial = await office.governor.approve("lunch-app", DANA)
    assert (trial.state, trial.approval.by, trial.approval.digest) == ("trial", "dana", record().digest())
    live = await office.governor.approve("lunch-app", ERIK)
    assert (live.state, live.approval.by) == ("live", "erik")
    said = await office.refused(office.governor.approve("lunch-app", DANA))
    assert "only a draft or a trial is approved. Remedy: nothing is left to approve" in said
    told = [(one.action, one.by, one.os_user, one.before, one.after) for one in await office.store.history()]
    assert told == [
        ("apply", "carla", "", None, "draft"),
        ("approve", "dana", "d", "draft", "trial"),
        ("approve", "erik", "", "trial", "live"),
    ]


@pytest.mark.parametrize("name", ["olga", " OLGA ", "conny", "Conny", "\uff4f\uff4c\uff47\uff41", "\u3000olga"])
async def test_who_answers_for_it_never_approves_it(name):
    """Neither owner nor contact, in whatever case or width, although they are approvers for others."""
    office = Office()
    await office.apply(record())
    said = await office.refused(office.governor.approve("lunch-app", Operator(name=name)))
    assert "its owner or contact cannot approve it" in said
    assert office.governor.state(await office.governor.find("lunch-app")) == "draft"


async def test_only_approvers_approve():
    """The settings name them; a change without a name is nobody's."""
    office = Office()
    await office.apply(record())
    for change in (office.governor.approve("lunch-app", CARLA), office.governor.resume("lunch-app", CARLA)):
        assert "'carla' is not in governance.approvers" in await office.refused(change)
    nobody = Operator(name="  ")
    for change in (
        office.apply(record(), by=nobody),
        office.governor.approve("lunch-app", nobody),
        office.governor.suspend("lunch-app", nobody),
    ):
        assert "--by NAME" in await office.refused(change)


async def test_an_approval_is_of_what_was_looked_at():
    """A digest that is not that of the record, or its beginning, stops it."""
    office = Office()
    await office.apply(record())
    said = await office.refused(office.governor.approve("lunch-app", DANA, digest="0000"))
    assert "not the one that you looked at" in said
    approved = await office.governor.approve("lunch-app", DANA, digest=record().digest()[:12])
    assert approved.state == "trial"


@pytest.mark.parametrize("state", ["trial", "live"])
async def test_a_widened_record_is_a_draft_again(state):
    """Whatever it was before, and its approval is gone."""
    office = Office()
    await office.apply(record())
    await office.governor.approve("lunch-app", DANA)
    if state == "live":
        await office.governor.approve("lunch-app", ERIK)
    [difference] = await office.apply(record(**WIDER))
    assert (difference.before, difference.after, difference.widening) == (state, "draft", True)
    entry = await office.governor.find("lunch-app")
    assert (entry.state, entry.approval, entry.version) == ("draft", None, "1.0+2")


async def test_a_narrowed_record_keeps_its_state():
    """The approval goes over to it, and says from which record."""
    office = Office()
    before = await office.live()
    [difference] = await office.apply(record(**NARROWER))
    assert (difference.before, difference.after, difference.widening) == ("live", "live", False)
    entry = await office.governor.find("lunch-app")
    assert (office.governor.state(entry), entry.version) == ("live", "1.0+2")
    assert (entry.approval.by, entry.approval.carried_from) == ("erik", before.digest)
    assert entry.approval.digest == entry.digest == entry.record.digest() != before.digest


async def test_going_back_is_a_widening():
    """What was given up is approved anew."""
    office = Office()
    await office.live()
    await office.apply(record(**NARROWER))
    [difference] = await office.apply(record())
    assert difference.after == "draft"


async def test_a_wider_record_is_not_approved_by_narrowing_it_again():
    """The draft was approved by nobody, so there is nothing to go over."""
    office = Office()
    await office.live()
    await office.apply(record(**WIDER))
    await office.apply(record(**NARROWER))
    assert (await office.governor.find("lunch-app")).state == "draft"


async def test_an_approver_who_becomes_the_contact_has_not_approved():
    """A change that is no widening by itself still ends the approval."""
    office = Office()
    await office.live()
    [difference] = await office.apply(record(contact="Erik"))
    assert difference.after == "draft"
    assert not is_approved(await office.governor.find("lunch-app"))


async def test_a_suspended_connector_stays_so_whatever_is_applied():
    """And goes back to a draft, if it was widened meanwhile."""
    office = Office()
    await office.live()
    await office.governor.suspend("lunch-app", CARLA, "odd calls")
    [difference] = await office.apply(record(**NARROWER))
    assert (difference.before, difference.after) == ("suspended", "suspended")
    assert (await office.governor.resume("lunch-app", DANA)).state == "live"
    await office.governor.suspend("lunch-app", CARLA)
    [difference] = await office.apply(record(**WIDER))
    assert difference.after == "suspended"
    assert (await office.governor.resume("lunch-app", DANA)).state == "draft"


async def test_applying_the_same_changes_nothing():
    """No revision, no line in the history."""
    office = Office()
    await office.live()
    [difference] = await office.apply(record())
    assert difference.kind == "same"
    assert len(await office.store.history()) == 3
    assert (await office.governor.find("lunch-app")).revision == 1


async def test_a_record_outside_its_template_is_not_applied():
    """Field, rule and remedy are named; and of several files none is taken."""
    office = Office()
    said = await office.refused(office.apply(record(id="fine", client_id="x"), record(rates=["1000/minute"])))
    assert "lunch-app: rates: no rate for the connector as a whole is within 120/minute" in said
    assert await office.store.all() == (0, [])


async def test_a_client_has_one_connector():
    """Unless the other one is revoked."""
    office = Office()
    await office.live()
    said = await office.refused(office.apply(record(id="twin")))
    assert "lunch-app has this client already" in said
    await office.governor.revoke("lunch-app", CARLA)
    await office.apply(record(id="twin"))
    assert (await office.governor.find("twin")).state == "draft"


async def test_a_revoked_connector_is_ended():
    """No way leads back; its file may stay as it is."""
    office = Office()
    await office.live()
    revoked = await office.governor.revoke("lunch-app", CARLA, "contract ended")
    assert (revoked.state, revoked.credentials) == ("revoked", ())
    assert (await office.apply(record()))[0].kind == "same"
    for change in (
        office.apply(record(**NARROWER)),
        office.governor.approve("lunch-app", DANA),
        office.governor.suspend("lunch-app", CARLA),
        office.governor.resume("lunch-app", DANA),
        office.governor.revoke("lunch-app", CARLA),
        rotate(office.governor, "lunch-app", CARLA, now=office.clock),
    ):
        assert "revoked" in await office.refused(change)
    assert (await office.store.history())[-1].note == "contract ended"


async def test_what_is_not_there_is_named_with_what_is():
    """A wrong name is answered with those that would do."""
    office = Office()
    assert "it has none" in await office.refused(office.governor.find("lunch-app"))
    await office.apply(record())
    assert "it has lunch-app" in await office.refused(office.governor.find("other"))


async def test_diff_shows_what_apply_would_do():
    """Of each file, and of each connector that has none."""
    office = Office()
    await office.live()
    assert [one.kind for one in await office.governor.diff([])] == ["absent"]
    [absent] = await office.governor.diff([])
    assert (absent.before, absent.after, absent.widening) == ("live", "live", False)


async def test_an_approval_needs_a_record_that_still_holds():
    """A record that was applied under another declaration is not approved now."""
    office = Office()
    await office.apply(record())
    poorer = make_bff()
    poorer.endpoints[:] = [one for one in poorer.endpoints if one.id != "lunch.book"]
    settings = make_settings(governance={"approvers": ["dana"]})
    governor = Governor(poorer, settings, office.store, now=Clock())
    assert "lunch has no endpoint 'lunch.book'" in await office.refused(governor.approve("lunch-app", DANA))


async def test_the_policy_is_asked_at_apply_and_at_approval():
    """What it denies is told with its owner, kept in the history, and not applied."""
    asked, denies = [], []

    async def judge(occasion, record, *, digest, by):
        asked.append((occasion, record.id, digest, by))
        return denies

    office = Office(judge=judge)
    denies.append("no bulk export [export/deny]")
    said = await office.refused(office.apply(record()))
    assert said == "lunch-app: denied by policy (its owner is olga): no bulk export [export/deny]"
    assert await office.store.all() == (0, [])
    denies.clear()
    await office.apply(record())
    denies.append("no")
    await office.refused(office.governor.approve("lunch-app", DANA))
    digest = record().digest()
    assert asked == [("apply", "lunch-app", digest, "carla")] * 2 + [("approve", "lunch-app", digest, "dana")]
    told = [(one.action, one.before, one.note) for one in await office.store.history()]
    assert told == [("deny", None, "no bulk export [export/deny]"), ("apply", None, ""), ("deny", "draft", "no")]
    assert await no_policy("apply", record(), digest="", by="") == ()


@pytest.mark.parametrize("kind", ["service", "partner"])
async def test_who_proves_itself_needs_a_credential_to_go_live(kind):
    """A trial may begin without; nothing is live that could not sign in."""
    partner = {"agreement": "C-7", "expires": "2027-05-01"} if kind == "partner" else {}
    office = Office()
    await office.apply(record(kind=kind, **partner))
    await office.governor.approve("lunch-app", DANA)
    assert f"a {kind} has no credential" in await office.refused(office.governor.approve("lunch-app", DANA))
    rotated = await rotate(office.governor, "lunch-app", CARLA, now=office.clock)
    assert isinstance(rotated.secret, Secret)
    assert (await office.governor.approve("lunch-app", DANA)).state == "live"


async def test_two_who_change_it_at_once():
    """The second one is told to look again."""
    office = Office()
    await office.apply(record())
    entry = await office.governor.find("lunch-app")
    await office.governor.suspend("lunch-app", CARLA)
    said = await office.refused(office.governor.change(entry, entry, "approve", DANA))
    assert "somebody else changed it meanwhile" in said


def test_the_record_of_these_tests_holds():
    """Each test adds one defect to it."""
    assert record().id == FIELDS["id"]


# --- the record of each change --------------------------------------------------------------------------------------


class Full(RecordLog):
    """A log that is full: there is `room`, or there is none, and nothing is kept."""

    def __init__(self, *, room: bool) -> None:
        super().__init__(print)
        self.has_room = room

    async def room(self) -> None:
        if not self.has_room:
            raise Unavailable("The audit log is full.")

    async def keep(self, record: object) -> None:
        raise OSError("no space left at /secret/place")


async def test_each_change_has_a_record():
    """What was done, by whom, from which account, to which record of whose connector."""
    lines = []
    office = Office(log=RecordLog(lines.append))
    entry = await office.live()
    await rotate(office.governor, "lunch-app", DANA, now=office.clock)
    await office.governor.suspend("lunch-app", DANA, "odd")
    told = [json.loads(line) for line in lines]
    assert [(r["event"], r["what"], r["by"], r["before"], r["after"]) for r in told] == [
        ("connector", "apply", "carla", None, "draft"),
        ("connector", "approve", "dana", "draft", "trial"),
        ("connector", "approve", "erik", "trial", "live"),
        ("connector", "rotate", "dana", "live", "live"),
        ("connector", "suspend", "dana", "live", "suspended"),
    ]
    last = told[-1]
    assert (last["connector"], last["tenant"], last["note"]) == ("lunch-app", record().tenant, "odd")
    assert (last["connector_version"], last["digest"]) == (entry.version, record().digest())
    assert (last["account"], told[0]["account"]) == ("d", None)


async def test_without_room_for_its_record_nothing_is_changed():
    """What gives power waits until somebody can be held to it."""
    office = Office(log=Full(room=False))
    with pytest.raises(Unavailable):
        await office.apply(record())
    assert await office.store.history() == []


@pytest.mark.parametrize("action", ["suspend", "revoke"])
async def test_what_takes_power_away_waits_for_no_record(action):
    """The program is stopped, and whoever stopped it hears that this is not in the audit log."""
    store = MemoryConnectors()
    await Office(store).live()
    office = Office(store, log=Full(room=False))
    said = await office.refused(getattr(office.governor, action)("lunch-app", DANA))
    assert f"{action} is done, but the audit log has no record of it (OSError)" in said
    assert "secret" not in said
    assert (await store.get("lunch-app")).state == {"suspend": "suspended", "revoke": "revoked"}[action]


async def test_a_change_whose_record_is_lost_is_told():
    """It cannot be taken back, and is not passed for one that is recorded."""
    office = Office(log=Full(room=True))
    assert "apply is done, but the audit log has no record" in await office.refused(office.apply(record()))
