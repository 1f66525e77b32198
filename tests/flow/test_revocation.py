"""What is revoked holds no longer, at the next request, although it was verified and is remembered."""

from __future__ import annotations

from narrows.testing import bearer
from tests.abuse.attack import claims_of, to_upstreams
from tests.flow.world import world


async def test_a_revoked_subject_is_refused_at_the_next_request() -> None:
    """A verified, cached token of a subject whose tokens are revoked is a 401; nothing goes upstream."""
    async with world() as made:
        headers = bearer(made.token())
        assert (await made.client.get("/teams/7/bookings", headers=headers)).status_code == 200
        await made.app.plan.revoke("corp", "anna", made.clock())
        before = len(to_upstreams(made))
        for base in ("", "/rehearse", "/sandbox"):
            answer = await made.client.get(f"{base}/teams/7/bookings", headers=headers)
            assert answer.status_code == 401
            assert 'error="invalid_token"' in answer.headers["www-authenticate"]
        assert len(to_upstreams(made)) == before


async def test_other_subjects_and_later_tokens_hold() -> None:
    """A revocation is of one subject, and of what was issued until then."""
    async with world() as made:
        await made.app.plan.revoke("corp", "anna", made.clock())
        assert (await made.get("/teams/7/bookings", "ben")).status_code == 200
        assert (await made.get("/teams/7/bookings", "anna")).status_code == 401
        made.clock.move(1)
        assert (await made.get("/teams/7/bookings", "anna")).status_code == 200


async def test_one_token_can_be_revoked() -> None:
    """A token that is revoked by its name is refused, another one of the same subject is not."""
    async with world() as made:
        lost, kept = made.token(), made.token()
        for token in (lost, kept):
            assert (await made.client.get("/teams/7/bookings", headers=bearer(token))).status_code == 200
        await made.app.plan.revoking.revoke_token("corp", claims_of(lost)["jti"])
        assert (await made.client.get("/teams/7/bookings", headers=bearer(lost))).status_code == 401
        assert (await made.client.get("/teams/7/bookings", headers=bearer(kept))).status_code == 200


async def test_an_expired_token_is_refused_although_it_is_remembered() -> None:
    """A remembered token is refused once its time and the leeway for clocks are over."""
    async with world() as made:
        headers = bearer(made.token())
        assert (await made.client.get("/teams/7/bookings", headers=headers)).status_code == 200
        made.clock.move(300 + 61)
        assert (await made.client.get("/teams/7/bookings", headers=headers)).status_code == 401


async def test_a_revocation_drops_the_tokens_for_upstreams_too() -> None:
    """What was exchanged before is not used again: a later token is exchanged anew."""
    async with world() as made:
        token = made.token()
        await made.client.get("/teams/7/bookings", headers=bearer(token))
        await made.client.get("/teams/7/bookings", headers=bearer(token))
        assert len(made.authority.exchanges) == 1
        await made.app.plan.revoke("corp", "anna", made.clock() - 3600)
        await made.client.get("/teams/7/bookings", headers=bearer(token))
        assert len(made.authority.exchanges) == 2
