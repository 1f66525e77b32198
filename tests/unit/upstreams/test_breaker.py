import pytest

from narrows.upstreams.breaker import Breaker


class Clock:
    at = 1000.0

    def __call__(self):
        return self.at


@pytest.fixture
def clock():
    """A clock that stands until a test moves it."""
    return Clock()


@pytest.fixture
def breaker(clock):
    """A breaker that opens after three failures, for ten seconds."""
    return Breaker(failures=3, open_s=10.0, now=clock)


def fail(breaker, times):
    """Let so many attempts in, and have each fail."""
    for _ in range(times):
        assert breaker.allow()
        breaker.failed()


def test_it_opens_after_failures_in_a_row(breaker):
    """Three failures in a row close the way, and `wait_s` says for how long."""
    fail(breaker, 2)
    assert (breaker.allow(), breaker.wait_s()) == (True, 0)
    breaker.failed()
    assert (breaker.allow(), breaker.wait_s()) == (False, 10)


def test_a_success_begins_the_count_anew(breaker):
    """Failures that are not in a row do not open it."""
    for _ in range(3):
        fail(breaker, 2)
        breaker.succeeded()
    assert breaker.allow()


def test_half_open_lets_one_probe_in(breaker, clock):
    """After its time exactly one attempt goes through until its outcome is known."""
    fail(breaker, 3)
    clock.at += 9.5
    assert (breaker.allow(), breaker.wait_s()) == (False, 1)
    clock.at += 0.5
    assert [breaker.allow() for _ in range(3)] == [True, False, False]
    assert breaker.wait_s() == 1


def test_a_probe_that_succeeds_closes_it(breaker, clock):
    """It then takes the full count of failures again to open it."""
    fail(breaker, 3)
    clock.at += 10
    assert breaker.allow()
    breaker.succeeded()
    assert breaker.wait_s() == 0
    fail(breaker, 2)
    assert breaker.allow()


def test_a_probe_that_fails_runs_the_time_anew(breaker, clock):
    """One failed probe is enough to keep it open for the whole time again."""
    fail(breaker, 3)
    clock.at += 10
    fail(breaker, 1)
    assert (breaker.allow(), breaker.wait_s()) == (False, 10)


def test_a_cancelled_probe_leaves_room_for_another(breaker, clock):
    """A probe without outcome neither closes it nor keeps it shut for ever."""
    fail(breaker, 3)
    clock.at += 10
    assert breaker.allow()
    breaker.released()
    assert [breaker.allow(), breaker.allow()] == [True, False]


def test_outcomes_from_before_it_opened_do_not_count(breaker, clock):
    """An attempt that began while it was closed and ends while it is open changes nothing."""
    assert breaker.allow()
    assert breaker.allow()
    fail(breaker, 3)
    clock.at += 4
    breaker.succeeded()
    breaker.failed()
    assert (breaker.allow(), breaker.wait_s()) == (False, 6)


def test_a_clock_set_back_does_not_keep_it_open(breaker, clock):
    """A clock that jumps back an hour lets the probe in rather than waiting an hour more."""
    fail(breaker, 3)
    clock.at -= 3600
    assert breaker.allow()
