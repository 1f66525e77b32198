"""A text as a literal of another language: whatever it holds, it stays one value and never becomes code.

Only printable ASCII and plain Latin letters stand in it as they are. All else is escaped, so that nothing that looks
like something else, or that turns the direction of the writing, hides in a file that is reviewed.
"""

from __future__ import annotations

import html
import re

_PIECE = 80
# Control characters, surrogates and noncharacters.
_NONCHARACTERS = "\ufdd0-\ufdef" + "".join(
    f"{chr(plane * 0x10000 + 0xFFFE)}{chr(plane * 0x10000 + 0xFFFF)}" for plane in range(17)
)
_FORBIDDEN = re.compile(f"[\0-\x1f\x7f-\x9f\ud800-\udfff{_NONCHARACTERS}]")


def python_literal(text: str, *, indent: int = 0, room: int = 120) -> str:
    """A literal of Python, laid out as ruff does.

    `indent` is that of its line in spaces, `room` how many characters are left there; a longer one is parted.
    """
    whole = _quoted(text)
    if len(whole) <= room or not text:
        return whole
    pad = " " * (indent + 4)
    return f"(\n{''.join(f'{pad}{piece}' + chr(10) for piece in _pieces(text))}{' ' * indent})"


def toml_literal(text: str) -> str:
    """A basic string of TOML 1.0."""
    escapes = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}
    return '"' + "".join(_shown(letter, escapes) for letter in text) + '"'


def html_text(text: str) -> str:
    """A text of HTML, also for an attribute in double quotes; white space is one space.

    What no document may hold, not even by its number, is U+FFFD (HTML, 13.5): readers drop it, or read another letter.
    """
    folded = html.escape(_FORBIDDEN.sub("\ufffd", " ".join(text.split())), quote=True)
    return "".join(letter if _plain(letter) else f"&#x{ord(letter):x};" for letter in folded)


def _pieces(text: str) -> list[str]:
    """The literals of its parts, each short enough for a line of its own."""
    found, start = [], 0
    for end in range(1, len(text) + 1):
        if end == len(text) or len(_quoted(text[start : end + 1])) > _PIECE:
            found.append(_quoted(text[start:end]))
            start = end
    return found


def _quoted(text: str) -> str:
    quote = "'" if text.count('"') > text.count("'") else '"'
    escapes = {quote: f"\\{quote}", "\\": "\\\\", "\n": "\\n", "\t": "\\t"}
    return quote + "".join(_shown(letter, escapes) for letter in text) + quote


def _shown(letter: str, escapes: dict[str, str]) -> str:
    if letter in escapes:
        return escapes[letter]
    if _plain(letter):
        return letter
    return f"\\u{ord(letter):04x}" if ord(letter) < 0x10000 else f"\\U{ord(letter):08x}"


def _plain(letter: str) -> bool:
    return " " <= letter <= "~" or ("\u00c0" <= letter <= "\u017e" and letter.isalpha())
