"""What is written to the terminal: no text of a file, a record or an upstream moves its cursor or turns its writing."""

from __future__ import annotations

import re

import click

# C0 but newline and tab, DEL and C1, and what is invisible or changes the direction or the line of what follows.
_ACTIVE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)


def say(text: object, *, err: bool = False, nl: bool = True) -> None:
    """Write a text (bytes are UTF-8), each active character as its escape, which is one in JSON too: `\\u001b`."""
    click.echo(harmless(text), err=err, nl=nl)


def harmless(text: object) -> str:
    """A text without active characters; its lines and tabs stay."""
    plain = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    return _ACTIVE.sub(_escaped, plain)


def one_line(text: object) -> str:
    """The same as a single line."""
    return harmless(text).replace("\n", "\\n").replace("\t", "\\t")


def _escaped(found: re.Match[str]) -> str:
    """As JSON escapes it: beyond the basic plane by a pair."""
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
