"""The cost of a role decision does not grow with the number of policies."""

import time
from collections.abc import Callable
from itertools import count

import pytest

from narrows.identity.policy_files import PolicyText
from narrows.identity.roles import Grant, Roles
from narrows.identity.roles_names import subject_name

FEW, MANY, BOUND = 10, 10_000, 3.0


def roles_with(policies: int) -> Roles:
    """So many policies, each for a role of its own; every role is held by one user in one team."""
    lines = [f"p, role:r{i}, team:{i}, where2eat.read, {'deny' if i % 5 == 4 else 'allow'}" for i in range(policies)]
    lines += [f"g, user:corp|u{i}, role:r{i}, team:{i}" for i in range(policies)]
    return Roles.build([("member", "where2eat.read")], [PolicyText("teams.csv", "\n".join(lines))])


def allowed(roles: Roles, _unseen: Callable[[], str]) -> bool:
    """A role by a link, asked before."""
    return roles.decide("user:corp|u5", "team:5", "where2eat.read").allowed


def denied(roles: Roles, _unseen: Callable[[], str]) -> bool:
    """A deny, asked before."""
    return not roles.decide("user:corp|u4", "team:4", "where2eat.read").allowed


def granted(roles: Roles, _unseen: Callable[[], str]) -> bool:
    """A role by a grant, asked before."""
    grants = [Grant("role:r5", "team:5"), Grant("role:member", "team:6")]
    return roles.decide("user:corp|x", "team:5", "where2eat.read", grants).allowed


def never_seen(roles: Roles, unseen: Callable[[], str]) -> bool:
    """A subject asked for the first time, so that no cache helps."""
    return not roles.decide(unseen(), "team:5", "where2eat.read").allowed


Ask = Callable[[Roles, Callable[[], str]], bool]


def seconds(roles: Roles, ask: Ask, names: "count[int]") -> float:
    """Time of a thousand decisions."""

    def unseen() -> str:
        return subject_name("corp", f"new-{next(names)}")

    start = time.perf_counter()
    for _ in range(1000):
        assert ask(roles, unseen)
    return time.perf_counter() - start


@pytest.mark.parametrize("ask", [allowed, denied, granted, never_seen])
def test_cost_is_flat(ask: Ask):
    """A decision among 10,000 policies and as many roles takes at most three times one among 10."""
    few, many, names = roles_with(FEW), roles_with(MANY), count()
    pairs = [(seconds(few, ask, names), seconds(many, ask, names)) for _ in range(15)]
    quickest_few, quickest_many = (min(times) for times in zip(*pairs, strict=True))
    print(f"{ask.__name__}: {quickest_few * 1e3:.2f} µs among {FEW}, {quickest_many * 1e3:.2f} µs among {MANY}")
    assert quickest_many <= BOUND * quickest_few
