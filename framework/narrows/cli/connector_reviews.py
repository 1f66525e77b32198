"""The review queue in `narrows connector`: what a policy holds back, and what approvers decide of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from narrows.cli.connector_registry import changing, reviewing, shared
from narrows.cli.connector_shown import moment, tell_json
from narrows.cli.saying import say

if TYPE_CHECKING:
    from narrows.governance.reviews import Reviewer
    from narrows.stores.reviews import Review


@click.command("reviews", short_help="List what the policy holds back until an approver decides.")
@shared
@click.option("--all", "everything", is_flag=True, help="Those that were decided too.")
@click.option("--history", "past", is_flag=True, help="Every decision of gate and approvers instead, as lines of JSON.")
def reviews(target: str, settings: str | None, form: str, everything: bool, past: bool) -> None:
    """List what the records of TARGET (module:attribute) ask for and a policy denies without a grant.

    \b
    Examples:
      narrows connector reviews bffs.where2eat.app:bff
      narrows connector reviews bffs.where2eat.app:bff --all --format json
    """

    if past:
        for line in reviewing(target, settings, lambda reviewer: reviewer.history()):
            say(line, nl=False)
        return

    async def read(reviewer: Reviewer) -> list[Review]:
        return await (reviewer.all() if everything else reviewer.waiting())

    found = reviewing(target, settings, read)
    if form == "json":
        tell_json([_review(one) for one in found])
        return
    for one in found:
        say(f"{one.connector}: {one.grant} {_verdict(one)}, digest {one.digest[:12]}")
        say(f"  {one.policy}/{one.rule}: {one.message}")
        say(f"  owner {one.owner}, contact {one.contact}, tenant {one.tenant}, asked {moment(one.asked_at)}")
    if not found:
        say("Nothing waits for an approver.")


@click.command("grant", short_help="Grant what the policy holds back, to one record.")
@changing
@click.argument("name")
@click.argument("what")
@click.option("--reason", default="", help="Why; it is kept with the decision.")
def grant(target: str, name: str, what: str, settings: str | None, form: str, by: str, reason: str) -> None:
    """Grant WHAT, such as data:export, to the connector NAME of TARGET (module:attribute), for exactly its record.

    You must stand in governance.approvers of the settings, and be neither its owner nor its contact. Then the owner
    applies again. A record that changes asks anew.

    \b
    Examples:
      narrows connector grant bffs.where2eat.app:bff reports data:export --by security@example.com
    """
    _decided(reviewing(target, settings, lambda r: r.decide(name, what, "granted", by=by, reason=reason)), form)


@click.command("deny", short_help="Deny what the policy holds back, or take a grant back.")
@changing
@click.argument("name")
@click.argument("what")
@click.option("--reason", default="", help="Why; it is kept with the decision.")
def deny(target: str, name: str, what: str, settings: str | None, form: str, by: str, reason: str) -> None:
    """Deny WHAT, such as data:export, to the connector NAME of TARGET (module:attribute); who may grant it may deny it.

    A connector that was approved with a grant that is taken back stays as it is: suspend or revoke it too.

    \b
    Examples:
      narrows connector deny bffs.where2eat.app:bff reports data:export --by security@example.com --reason "too wide"
    """
    _decided(reviewing(target, settings, lambda r: r.decide(name, what, "denied", by=by, reason=reason)), form)


def _decided(review: Review, form: str) -> None:
    """What became of one review."""
    if form == "json":
        tell_json(_review(review))
    else:
        say(f"{review.connector}: {review.grant} {_verdict(review)}, digest {review.digest[:12]}")


def _verdict(review: Review) -> str:
    return f"{review.verdict} by {review.by}" if review.by else review.verdict


def _review(review: Review) -> dict[str, Any]:
    """A review for a program, its times as RFC 3339."""
    import msgspec

    decided = None if review.decided_at is None else moment(review.decided_at)
    return {**msgspec.to_builtins(review), "asked_at": moment(review.asked_at), "decided_at": decided}
