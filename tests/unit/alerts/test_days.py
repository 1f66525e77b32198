from narrows.alerts.days import turn
from narrows.alerts.state import HISTORY_DAYS, Day, Pattern, Window, decode, encode, refresh
from tests.unit.alerts.traffic import DAY, MONDAY, Traffic

FIRST = int(MONDAY // DAY)


def test_weekends():
    """Saturday and Sunday, by UTC."""
    assert [Day(FIRST + one).weekend for one in range(7)] == [False] * 5 + [True] * 2


def test_history_is_bounded():
    """Four weeks of days, and no more."""
    traffic = Traffic()
    traffic.days(60)
    history = traffic.engine.state.connectors["app"].history
    assert len(history) == HISTORY_DAYS
    assert history[-1].number == FIRST + 58


def test_a_clock_that_is_set_back_a_little():
    """Its calls count for today."""
    pattern = Pattern(Day(FIRST), MONDAY, MONDAY)
    assert turn(pattern, MONDAY - 3600) is None
    assert pattern.today.number == FIRST


def test_a_clock_that_is_set_back_far():
    """It begins anew there, and forgets the days that have not been."""
    pattern = Pattern(Day(FIRST), MONDAY, MONDAY, history=[Day(FIRST - 9), Day(FIRST - 2)])
    assert turn(pattern, MONDAY - 5 * DAY) is None
    assert (pattern.today.number, [day.number for day in pattern.history]) == (FIRST - 5, [FIRST - 9])


def test_the_window_of_ten_minutes():
    """It forgets what is older, keeps what comes late, and begins anew when the clock was set back."""
    window = Window()
    assert window.add(MONDAY, True) == (1, 1)
    assert window.add(MONDAY + 540, False) == (2, 1)
    assert window.add(MONDAY + 300, True) == (3, 2)
    assert window.add(MONDAY + 600, False) == (3, 1)
    assert window.since == MONDAY + 540
    assert window.add(MONDAY - DAY, False) == (1, 0)


def test_the_oldest_makes_room():
    """What was put last is kept, and it is told that something went."""
    kept = {"a": 1, "b": 2}
    assert not refresh(kept, "a", 3, 2)
    assert refresh(kept, "c", 4, 2)
    assert kept == {"a": 3, "c": 4}


def test_what_is_kept_is_read_again():
    """All of it, and nothing of another form."""
    traffic = Traffic()
    traffic.days(10)
    traffic.call(MONDAY, connector=None, status=401)
    state = traffic.engine.state
    assert encode(decode(encode(state))) == encode(state)
    assert decode(b"\xc1") is None
