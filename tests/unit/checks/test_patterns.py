"""Patterns that a text could keep busy for ever are told from those that none can (case 54)."""

import re
import time

import pytest

from narrows.checks.patterns import is_slow

SLOW = [
    "^(a|a)*$",
    "^(a+)+$", "^(a|a?b?)*$", "(x+x+)+y", "^([a-zA-Z]+)*$", r"^(\w+\s?)*$", "^(.*a){20}$", "^(a?){60}a{60}$",
    r"^([^x]+|\u00e9)*$", "^((a|b)*c?)*$", "(?i)^(ab|AB)*$", "^((?i:ab+))*$", r"^(a(?=b+)|ab)*$", "^(?=(a+)+$)",
    "(?>(a+)+b)", r"^(a)?(?(1)(b+)+|c)$", r"^([\u00e0-\u00ff]+|[^a])*$", "^(a+)++$",
]  # fmt: skip
QUICK = [
    "^a+$", "^[a-z]+(-[a-z]+)*$", "^[A-Za-z0-9_-]{1,64}$", r"^[a-z0-9][a-z0-9_-]{0,63}(?!\n)$", "^(ab|cd)*$", ".*@.*",
    r"^[0-9]{1,3}(\.[0-9]{1,3}){3}$", "^(a|b){2}$", "^(?:[^,]+,)*$", "(?i)^a+$", r"^(\u00e9x|\u00e8?y){3}$",
    "^(?>a+)b$", "^(a|ab)*b?$", r"^(\u00e9+-)*$",
]  # fmt: skip


@pytest.mark.parametrize("pattern", SLOW)
def test_more_than_one_way_in_a_repetition_is_slow(pattern):
    """Repetitions and choices in repetitions that share a beginning; also in a group that looks ahead."""
    assert is_slow(pattern, 200)
    assert is_slow(pattern, None)


@pytest.mark.parametrize("pattern", QUICK)
def test_one_way_is_quick(pattern):
    """What people write for names, versions and lists."""
    assert not is_slow(pattern, None)


def test_a_short_text_has_few_ways():
    """The worst pattern is done with sixteen characters before anybody notices."""
    assert not is_slow("^(a+)+$", 16)
    started = time.process_time()
    assert re.search("^(a+)+$", "a" * 15 + "!") is None
    assert time.process_time() - started < 1
