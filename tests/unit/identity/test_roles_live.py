"""Roles that change while calls run: all at once, or not at all."""

import os
from pathlib import Path

import pytest

from narrows.errors import PolicyError
from narrows.identity.roles import MODEL
from narrows.identity.roles_live import LiveRoles

ANN = "user:corp|ann"
READ = "where2eat.read"
HELD = "g, user:corp|ann, role:member, team:7\n"


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """A policy file by which one person holds one role."""
    path = tmp_path / "teams.csv"
    path.write_text(HELD)
    return path


def live(policy: Path, **more) -> LiveRoles:
    """Live roles over one policy file."""
    return LiveRoles([("member", READ)], [policy], **more)


def allowed(roles: LiveRoles) -> bool:
    """Whether that person is allowed now."""
    return roles.current.decide(ANN, "team:7", READ).allowed


def test_removed_role_is_gone_at_the_next_look(policy: Path):
    """Taking a role out of the file denies from the next look on, and not before the interval has passed."""
    roles = live(policy, interval=1.0)
    assert not roles.refresh_if_changed(100.0)
    policy.write_text("")
    assert not roles.refresh_if_changed(100.9)
    assert allowed(roles)
    assert roles.refresh_if_changed(101.0)
    assert not allowed(roles)


def test_interval_of_zero_looks_every_time(policy: Path):
    """With interval 0 a change is seen by the very next call."""
    roles = live(policy, interval=0)
    assert not roles.refresh_if_changed(5.0)
    policy.write_text("")
    assert roles.refresh_if_changed(5.0)
    assert not allowed(roles)


def test_change_that_keeps_size_and_mtime_is_seen(policy: Path):
    """A copy that keeps size and modification time, as some tools make, is a change all the same."""
    roles = live(policy, interval=0)
    before = policy.stat()
    other = policy.with_name("other.csv")
    other.write_text(HELD.replace("ann", "bob"))
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(policy)
    assert roles.refresh_if_changed(5.0)
    assert not allowed(roles)


def test_file_that_does_not_load_keeps_the_last_good_one(policy: Path):
    """A broken file changes nothing but the visible error, is read once, and heals when it is mended."""
    roles = live(policy, interval=0)
    good = roles.current
    policy.write_text(HELD + "g, broken")
    assert not roles.refresh_if_changed(1.0)
    assert roles.current is good
    error = roles.stale_error
    assert "teams.csv:2" in str(error)
    assert not roles.refresh_if_changed(2.0)
    assert roles.stale_error is error
    policy.write_text("# nobody\n")
    assert roles.refresh_if_changed(3.0)
    assert roles.stale_error is None
    assert not allowed(roles)


def test_file_that_vanishes_keeps_the_last_good_one(policy: Path):
    """A file that is gone is a policy that does not load, not an empty one."""
    roles = live(policy, interval=0)
    policy.unlink()
    assert not roles.refresh_if_changed(1.0)
    assert allowed(roles)
    assert "cannot be read" in str(roles.stale_error)


def test_reload_raises_and_keeps(policy: Path):
    """An explicit reload raises what does not load, and the old roles stay in force."""
    roles = live(policy)
    policy.write_text("q, what")
    with pytest.raises(PolicyError, match=r"teams\.csv:1"):
        roles.reload()
    assert allowed(roles)
    assert roles.stale_error is not None
    policy.write_text(HELD)
    roles.reload()
    assert roles.stale_error is None


def test_call_in_its_midst_keeps_its_roles(policy: Path):
    """A call that took the roles before a reload decides by them to its end; the next call has the new ones."""
    roles = live(policy)
    of_the_call = roles.current
    policy.write_text("")
    roles.reload()
    assert of_the_call.decide(ANN, "team:7", READ).allowed
    assert not allowed(roles)


def test_first_load_must_succeed(policy: Path):
    """At the start there is no last good policy, so a file that does not load refuses the start."""
    policy.write_text("q, what")
    with pytest.raises(PolicyError):
        live(policy)


def test_own_model_is_watched_too(policy: Path):
    """A team's own model is loaded by the stock enforcer, and a change of it takes effect like a policy's."""
    model = policy.with_name("model.conf")
    model.write_text(MODEL)
    roles = live(policy, model=model, interval=0)
    assert allowed(roles)
    model.write_text(MODEL.replace('p.dom == "*"', 'p.dom == "team:8"'))
    assert roles.refresh_if_changed(1.0)
    assert not allowed(roles)
