"""Text of others at the terminal: it is shown, and does nothing (case 55)."""

import json

import pytest

from narrows.cli.saying import harmless, one_line, say

ACTIVE = [*"\x00\x07\x08\r\x1b\x7f\x85\x9b\u061c\u200b\u200f\u2028\u202e\u2066\ufeff\ud800\U000e0041"]


@pytest.mark.parametrize("active", ACTIVE)
def test_what_moves_a_cursor_or_turns_the_writing_is_written_out(active, capsys):
    """The same escape as in JSON, so that a document stays one."""
    say(f"a{active}b")
    shown = capsys.readouterr().out
    assert active not in shown.removesuffix("\n")
    assert json.loads(f'"{shown.strip()}"') == f"a{active}b"
    assert one_line(active) == harmless(active)


def test_lines_tabs_and_letters_stay(capsys):
    """Whoever writes Ä, 食 or an emoji is read as they write."""
    say("a\tÄ\n食 🍽".encode(), err=True, nl=False)
    assert capsys.readouterr().err == "a\tÄ\n食 🍽"
    assert one_line("a\nb\tc") == "a\\nb\\tc"
