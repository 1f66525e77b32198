"""What a person says of a new BFF, judged before anything is made of it."""

from __future__ import annotations

import keyword
import re
import sys
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import msgspec

from narrows.checks.bff import is_one_line
from narrows.declare.connectors import Line
from narrows.errors import NarrowsError

_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_NAME_LENGTH = 40
_BREAK = re.compile(r"[\t\r\n]")
_LENGTHS = {"owner": 100, "purpose": 300}
_REVIEW = timedelta(days=180)
# A folder of one of these names would hide what Python, pytest or the scaffold itself looks for.
_TAKEN = frozenset({"bffs", "narrows", "test", "tests", "conftest", "main", "self"})
# YAML reads these as no text, and Windows opens a device.
_ELSEWHERE = frozenset({"true", "false", "null", "yes", "no", "on", "off", "con", "prn", "aux", "nul"})


class ScaffoldRefused(NarrowsError):
    """Nothing was made; the message says what does not hold, and what would be right."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The facts of a new BFF; make them with `judged`."""

    name: str
    owner: str
    purpose: str
    review_by: str

    @property
    def bff(self) -> str:
        """The name as ids, audiences and clients carry it."""
        return self.name.replace("_", "-")

    @property
    def title(self) -> str:
        """The name as a person reads it."""
        return self.name.replace("_", " ").capitalize()


@dataclass(frozen=True)
class Draft:
    """What is to be written: texts by their path below the folder of the BFF, and what a person must know of them.

    `holes` is what the start refuses until somebody has filled it."""

    files: Mapping[str, str]
    notes: tuple[str, ...] = ()
    holes: tuple[str, ...] = ()


def judged(name: str, *, owner: str, purpose: str, today: date) -> Facts:
    """Make the facts of a new BFF, which is to be reviewed half a year from `today`. Raises `ScaffoldRefused`."""
    checked_name(name)
    # Words that were pasted with their line breaks are one line all the same.
    owner, purpose = (" ".join(filter(None, map(str.strip, _BREAK.split(text)))) for text in (owner, purpose))
    for what, text in {"owner": owner, "purpose": purpose}.items():
        if fault := _fault_of(text, _LENGTHS[what]):
            raise ScaffoldRefused(f"the {what} {fault}. Remedy: say it in plain words of one line.")
    return Facts(name=name, owner=owner, purpose=purpose, review_by=(today + _REVIEW).isoformat())


def checked_name(name: str) -> str:
    """A name that can be a package, a client id and a part of a path. Raises `ScaffoldRefused`."""
    if not _NAME.fullmatch(name) or len(name) > _NAME_LENGTH:
        rule = f"it is made of a-z, 0-9 and single _, begins with a letter and has at most {_NAME_LENGTH} characters"
        raise ScaffoldRefused(f"{name!r} is no name of a BFF: {rule}. Remedy: {_better(name)}.")
    if keyword.iskeyword(name) or keyword.issoftkeyword(name) or name in _TAKEN or name in sys.stdlib_module_names:
        raise ScaffoldRefused(f"{name!r} means something else to Python. Remedy: call it {name}_app.")
    if name in _ELSEWHERE or re.fullmatch("(?:com|lpt)[0-9]", name):
        raise ScaffoldRefused(f"{name!r} means something else to YAML or Windows. Remedy: call it {name}_app.")
    return name


def _better(name: str) -> str:
    """The nearest name that would do, so that nobody has to guess."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = [word for word in re.split(r"[^a-z0-9]+", plain) if word]
    near = "_".join(words).lstrip("0123456789_")[:_NAME_LENGTH].rstrip("_")
    return f"call it {near}" if near and near != name else "call it after its purpose, as in room_book"


def _fault_of(text: str, longest: int) -> str:
    """Why a text cannot stand in files that people read; empty when it can."""
    if not text.strip():
        return "is empty"
    if len(text) > longest:
        return f"has {len(text)} characters; {longest} are the most"
    if any(unicodedata.category(letter) in ("Cs", "Cn", "Co") for letter in text):
        return "holds something that is no character"
    if any(unicodedata.category(letter) == "Cc" for letter in text):
        return "holds a control character"
    try:
        clear = is_one_line(msgspec.convert(text, Line))
    except msgspec.ValidationError:
        clear = False
    if not clear:
        return "holds an invisible character, which the record of a program may not"
    return ""
