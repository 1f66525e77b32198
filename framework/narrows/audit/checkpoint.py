"""Checkpoints: how far a log goes, in the form of C2SP (tlog-checkpoint, signed-note), which others can countersign.

Keys are Ed25519 (RFC 8032). A note is three lines (origin, size, root in base64), an empty one, and a line for each
signature: `— name base64(id of the key || signature)`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from narrows.errors import NarrowsError
from narrows.stores.audit import HASH_BYTES

_ED25519 = b"\x01"
_ID_BYTES = 4
_DASH = "\u2014 "
_LONGEST = 64 * 1024
_SIGNATURES = 100
_LINES = 3


class CheckpointRefused(NarrowsError):
    """A text is no checkpoint of this log, or a signature of a known key does not hold."""


class Checkpoint(NamedTuple):
    """What a note says: which log, how many leaves, and the root of their tree."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


class PublicKey(msgspec.Struct, frozen=True):
    """A key that signs for `name`. `str` gives it in the form that C2SP's and Go's tools read: `name+id+key`."""

    name: str
    raw: bytes

    @property
    def id(self) -> bytes:
        """The four bytes by which a signature names its key."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.raw).digest()[:_ID_BYTES]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(_ED25519 + self.raw).decode()}"

    @classmethod
    def parse(cls, text: str) -> PublicKey:
        """Read `name+id+key`. Raises `CheckpointRefused` for anything else, and for an id that is another key's."""
        name, _, rest = text.strip().partition("+")
        identity, _, encoded = rest.partition("+")
        raw = _decoded(encoded)
        if raw is None or not raw.startswith(_ED25519) or len(raw) != 1 + HASH_BYTES or not is_name(name):
            raise CheckpointRefused("This is no public key of a log. Remedy: give it as name+id+key, Ed25519.")
        key = cls(name, raw[1:])
        if key.id.hex() != identity:
            raise CheckpointRefused("The id of the public key is that of another key. Remedy: copy it whole.")
        return key

    def holds(self, text: str, signature: bytes) -> bool:
        """Whether this key signed the text."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, text.encode())
        except InvalidSignature:
            return False
        return True


class Signer:
    """Signs checkpoints of the log `origin` with each of its keys: seeds of 32 bytes, the newest first."""

    def __init__(self, origin: str, seeds: Iterable[bytes]) -> None:
        self.origin = origin
        self._keys = [Ed25519PrivateKey.from_private_bytes(seed) for seed in seeds]
        self.public = tuple(PublicKey(origin, key.public_key().public_bytes_raw()) for key in self._keys)

    def sign(self, size: int, root: bytes) -> str:
        """The signed note of a tree."""
        text = Checkpoint(self.origin, size, root).text()
        lines = [
            f"{_DASH}{public.name} {base64.b64encode(public.id + key.sign(text.encode())).decode()}\n"
            for key, public in zip(self._keys, self.public, strict=True)
        ]
        return f"{text}\n{''.join(lines)}"


def is_name(name: str) -> bool:
    """Whether a log or a key may have this name: not empty, and without spaces, controls and `+`."""
    return bool(name) and name.isprintable() and not any(sign == "+" or sign.isspace() for sign in name)


def read_checkpoint(note: str, keys: Sequence[PublicKey]) -> Checkpoint:
    """Read a note of which at least one known key signed; signatures of unknown keys are passed over.

    Raises `CheckpointRefused` for a text of another form, for one that no known key signed, for a signature of a known
    key that does not hold, and for a log that none of the keys is for.
    """
    text, signatures = _split(note)
    checkpoint = _read_text(text)
    known = {(key.name, key.id): key for key in keys}
    signed = False
    for name, signature in signatures:
        key = known.get((name, signature[:_ID_BYTES]))
        if key is None:
            continue
        if not key.holds(text, signature[_ID_BYTES:]):
            raise CheckpointRefused(f"The signature of {key} under the checkpoint does not hold.")
        signed = signed or name == checkpoint.origin
    if not signed:
        raise CheckpointRefused(
            f"No known key of {checkpoint.origin!r} signed the checkpoint. Remedy: give the public key of this log."
        )
    return checkpoint


def size_of(note: str) -> int | None:
    """The size that a note says, signed or not; None for a text that is no checkpoint."""
    try:
        return _read_text(_split(note)[0]).size
    except CheckpointRefused:
        return None


def _split(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    """The text of a note with its newline, and its signatures by the names of their keys."""
    text, gap, below = note.rpartition("\n\n")
    lines = below.split("\n")
    if not gap or lines.pop() or not 1 <= len(lines) <= _SIGNATURES or len(note) > _LONGEST or not _is_plain(note):
        raise _no_note()
    signatures = []
    for line in lines:
        name, space, encoded = line.removeprefix(_DASH).partition(" ")
        raw = _decoded(encoded)
        if not line.startswith(_DASH) or not space or not is_name(name) or raw is None or len(raw) <= _ID_BYTES:
            raise _no_note()
        signatures.append((name, raw))
    return text + "\n", signatures


def _read_text(text: str) -> Checkpoint:
    """The three lines; what more a log may say in further lines (C2SP allows it) is signed too, and not read."""
    lines = text.split("\n")
    if len(lines) <= _LINES:
        raise _no_note()
    origin, size, root = lines[0], lines[1], _decoded(lines[2])
    written = size.isascii() and size.isdigit() and size == str(int(size[:20])) and int(size) < 2**63
    if not origin or not written or root is None or len(root) != HASH_BYTES:
        raise _no_note()
    return Checkpoint(origin, int(size), root)


def _is_plain(note: str) -> bool:
    """Whether a note holds no control but the ends of its lines."""
    return all(sign == "\n" or (sign >= " " and sign != "\ufffd") for sign in note)


def _decoded(encoded: str) -> bytes | None:
    """What stands in base64 as it must be written; None for anything else."""
    try:
        raw = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if base64.b64encode(raw).decode() == encoded else None


def _no_note() -> CheckpointRefused:
    return CheckpointRefused(
        "This is no checkpoint of a log. Remedy: give the whole note, to the end of its last line."
    )
