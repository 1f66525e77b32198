"""Whether an export of the audit log is what was written: offline, in one pass, and naming the first bad record.

Three things are held against each other: the records, their hashes as they stand beside them, and the roots that were
signed. Where a signed root agrees with the hashes but not with the records, the first bad record is known exactly;
where somebody hashed everything anew, it lies after the last root that agrees.

What nobody can see in one export alone: that its end was cut off at a checkpoint, that the whole log was put back to an
older state, and what a thief of the signing key wrote anew. Each needs something that was kept elsewhere: a checkpoint,
or for the exact place the hashes of an earlier export.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from narrows.audit.checkpoint import Checkpoint, CheckpointRefused, PublicKey, read_checkpoint
from narrows.audit.export import FORM, TILE, Line, is_as_written, leaf_of_line
from narrows.audit.merkle import EMPTY_ROOT, fold, leaf_hash, node_hash
from narrows.stores.audit import HASH_BYTES

LONGEST = 1024 * 1024
"""The longest line of an export, in bytes."""

_decode = msgspec.json.Decoder(Line).decode


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What was found: `first_bad` is None when all is well.

    Otherwise `first_bad` is the index of the first bad record, or, when it is not `exact`, the first of those up to
    `last_bad` among which it is. `size` records were seen, the first `signed` of them under a checkpoint that agrees.
    """

    size: int
    signed: int
    first_bad: int | None = None
    last_bad: int | None = None
    why: str = ""

    @property
    def exact(self) -> bool:
        """Whether the first bad record is known exactly."""
        return self.first_bad == self.last_bad


class _Bad(Exception):
    """The first bad record was found."""

    def __init__(self, first: int, last: int, why: str) -> None:
        super().__init__(why)
        self.first, self.last, self.why = first, last, why


class _Range:
    """The peaks of a tree that grows (a compact range from 0)."""

    __slots__ = ("peaks", "size")

    def __init__(self, size: int = 0, peaks: Iterable[bytes] = ()) -> None:
        self.size, self.peaks = size, list(peaks)

    def add(self, digest: bytes) -> None:
        peaks, size = self.peaks, self.size
        while size & 1:
            digest = node_hash(peaks.pop(), digest)
            size >>= 1
        peaks.append(digest)
        self.size += 1

    def root(self) -> bytes:
        return fold(self.peaks) if self.peaks else EMPTY_ROOT


class Verifier:
    """Takes the lines of an export one after the other; `end` gives the verdict.

    `keys` are the public keys of the log; `kept` are checkpoints and `hashes` the lines of an export (its hashes are
    enough) that were kept where nobody who can write the log could change them. Raises `CheckpointRefused` for a kept
    checkpoint that is none of this log, and, when they are read, for hashes that are no whole export.
    """

    def __init__(
        self, keys: Sequence[PublicKey], *, kept: Iterable[str] = (), hashes: Iterable[bytes] | None = None
    ) -> None:
        self._keys = keys
        read = [read_checkpoint(note, keys) for note in kept]
        self._kept = sorted(read, key=lambda checkpoint: checkpoint.size, reverse=True)
        self._hashes = iter(()) if hashes is None else _hashes_of(hashes)
        self._leaves = _Range()
        self._stated: _Range | None = None  # from the first record on that has another hash beside it
        self._tile: list[bytes] = []
        self._at = 0
        self._differs: int | None = None
        self._begun = False
        self._promised = 0
        self._signed = 0
        self._vouched = 0
        self._roots: dict[int, bytes] = {checkpoint.size: checkpoint.root for checkpoint in read}
        self._bad: _Bad | None = None

    @property
    def size(self) -> int:
        """How many records were seen."""
        return self._leaves.size

    def take(self, line: bytes) -> bool:
        """Take one line; False when the first bad record is found and the rest need not be read."""
        if self._bad is None:
            try:
                self._take(line)
                self._hold_kept()
            except _Bad as found:
                self._bad = found
        return self._bad is None

    def end(self) -> Verdict:
        """What was found, after the last line."""
        if self._bad is None:
            try:
                self._end()
            except _Bad as found:
                self._bad = found
        if self._bad is None:
            return Verdict(size=self.size, signed=self._signed)
        first, last, why = self._bad.first, self._bad.last, self._bad.why
        return Verdict(size=self.size, signed=self._signed, first_bad=first, last_bad=last, why=why)

    def _take(self, text: bytes) -> None:
        here = self.size
        try:
            line = _decode(text) if len(text) <= LONGEST else None
        except (msgspec.DecodeError, UnicodeDecodeError):
            line = None
        if line is None:
            raise self._at_once(here, "a line of the export cannot be read")
        if not self._begun and line.form != FORM:
            raise _Bad(0, 0, "this is no export of an audit log")
        if not is_as_written(text, line):
            raise self._at_once(here, "a line is not as an export writes it")
        if not self._begun:
            self._begin(line)
        elif line.hashes is not None:
            self._take_hashes(line)
        elif line.index is not None:
            self._take_record(line)
        elif line.checkpoint is not None:
            self._take_checkpoint(line.checkpoint)
        else:
            raise self._at_once(here, "a line of the export says nothing")

    def _begin(self, line: Line) -> None:
        if line.size is None:
            raise _Bad(0, 0, "this is no export of an audit log")
        if line.origin not in {key.name for key in self._keys}:
            raise _Bad(0, 0, "this is the export of another log than the key's")
        self._begun, self._promised = True, line.size

    def _take_hashes(self, line: Line) -> None:
        here, digests = self.size, _digests(line.hashes)
        if self._at < len(self._tile):
            raise self._at_once(here, "a record is missing")
        if line.start != here or digests is None:
            raise self._at_once(here, "hashes are missing or out of order")
        self._tile, self._at = digests, 0

    def _take_record(self, line: Line) -> None:
        here, leaf = self.size, leaf_of_line(line)
        if line.index != here:
            raise self._at_once(here, "a record is missing, or not in its place")
        if self._at >= len(self._tile):
            raise self._at_once(here, "a record has no hash beside it")
        if here >= self._promised:
            raise self._at_once(here, "there are more records than the first line says")
        digest, stated = leaf_hash(leaf), self._tile[self._at]
        self._at += 1
        if digest != stated and self._stated is None:
            self._stated, self._differs = _Range(here, self._leaves.peaks), here
        if self._stated is not None:
            self._stated.add(stated)
        self._leaves.add(digest)
        if next(self._hashes, digest) != digest:
            raise _Bad(here, here, "the record is not the one whose hash was kept")

    def _take_checkpoint(self, note: str) -> None:
        try:
            checkpoint = read_checkpoint(note, self._keys)
        except CheckpointRefused as refused:
            raise self._since(self._signed, f"a checkpoint does not hold: {refused}") from None
        if checkpoint.size != self.size:
            first = min(checkpoint.size, self.size)
            raise self._at_once(first, f"a checkpoint of {checkpoint.size} records stands after {self.size}")
        if self._roots.setdefault(checkpoint.size, checkpoint.root) != checkpoint.root:
            raise self._since(
                self._vouched, f"two different logs of {checkpoint.size} records were signed: it was forked"
            )
        self._hold(checkpoint, self._signed)
        self._signed = self.size

    def _hold_kept(self) -> None:
        """Hold what was kept elsewhere against what is here; what this log signed itself since does not count."""
        while self._kept and self._kept[-1].size == self.size:
            self._hold(self._kept.pop(), self._vouched)
            self._vouched = self.size

    def _hold(self, checkpoint: Checkpoint, since: int) -> None:
        """Hold a signed root against the records; `since` says up to where they are known to be good."""
        if self._leaves.root() == checkpoint.root:
            if self._differs is not None:
                raise _Bad(
                    self._differs, self._differs, "the hash beside the record is not its own; the record is good"
                )
            return
        if self._stated is not None and self._stated.root() == checkpoint.root and self._differs is not None:
            raise _Bad(self._differs, self._differs, "the record is not the one that was signed")
        raise self._since(since, "the records are not those that were signed")

    def _end(self) -> None:
        here = self.size
        if not self._begun:
            raise _Bad(0, 0, "this is no export of an audit log")
        if self._at < len(self._tile) or here < self._promised:
            raise self._at_once(here, "the export is cut off here")
        if self._kept:
            raise _Bad(
                here, here, f"the log had {self._kept[0].size} records when a checkpoint was kept: it is cut off"
            )
        if next(self._hashes, None) is not None:
            raise _Bad(here, here, "more records were there when hashes were kept: it is cut off")
        if self._signed < here:
            raise self._since(self._signed, "no checkpoint covers the records from here on")

    def _at_once(self, here: int, why: str) -> _Bad:
        """What is wrong at one place, unless something was wrong before it."""
        if self._differs is not None and self._differs < here:
            return _Bad(self._differs, self._differs, "the record does not have the hash beside it")
        return _Bad(here, here, why)

    def _since(self, first: int, why: str) -> _Bad:
        return _Bad(first, max(first, self.size - 1), why)


def verify(
    lines: Iterable[bytes],
    keys: Sequence[PublicKey],
    *,
    kept: Iterable[str] = (),
    hashes: Iterable[bytes] | None = None,
) -> Verdict:
    """Verify an export by its lines, in memory that does not grow with it. Arguments and errors are `Verifier`'s."""
    verifier = Verifier(keys, kept=kept, hashes=hashes)
    for line in lines:
        if not verifier.take(line):
            break
    return verifier.end()


def _hashes_of(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The hashes of an export that was kept: all of them, or it holds against nothing."""
    promised, count = -1, 0
    for text in lines:
        line = _kept_line(text)
        if promised < 0:
            promised = line.size if line.form == FORM and line.size is not None else -1
        if promised < 0 or (line.hashes is not None and line.start != count):
            raise _no_hashes()
        for digest in _digests(line.hashes) or () if line.hashes is not None else ():
            count += 1
            yield digest
    if count != promised:
        raise _no_hashes()


def _kept_line(text: bytes) -> Line:
    try:
        return _decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise _no_hashes() from None


def _no_hashes() -> CheckpointRefused:
    return CheckpointRefused("The hashes that were kept are no whole export. Remedy: give the file as it was written.")


def _digests(hashes: str | None) -> list[bytes] | None:
    """The hashes of a line, or None for something else."""
    raw = _raw(hashes or "")
    if raw is None or len(raw) % HASH_BYTES or len(raw) > TILE * HASH_BYTES:
        return None
    return [raw[at : at + HASH_BYTES] for at in range(0, len(raw), HASH_BYTES)]


def _raw(encoded: str) -> bytes | None:
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None
