"""Whether the audit log is whole: `narrows audit verify|export|prove|checkpoint`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from narrows.cli.audit_opened import Opened, shared, with_log
from narrows.cli.progress import Progress
from narrows.cli.saying import say

if TYPE_CHECKING:
    from narrows.audit.checkpoint import PublicKey
    from narrows.audit.verify import Verdict, Verifier

_EACH = 10_000
_UNTOLD = "whether somebody changed them before, a checkpoint tells that was kept elsewhere (--checkpoint)."
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_NEW = click.Path(dir_okay=False, path_type=Path)


@click.command("checkpoint", short_help="Sign how far the log goes, and print it.")
@shared
@click.option("--key", "only_key", is_flag=True, help="Print the public keys instead, which verify takes.")
def checkpoint(target: str, settings: str | None, only_key: bool) -> None:
    """Sign how far the audit log of TARGET (module:attribute) goes, and print the checkpoint.

    Keep it, and once the key, where nobody can change it who can write the log: only so can a log be found out that
    was cut off, or put back whole.

    \b
    Examples:
      narrows audit checkpoint bffs.where2eat.app:bff > checkpoint.txt
      narrows audit checkpoint bffs.where2eat.app:bff --key > audit.pub
    """

    async def signed(log: Opened) -> str:
        return "".join(f"{key}\n" for key in log.signer.public) if only_key else await _sign(log)

    say(with_log(target, settings, signed), nl=False)


@click.command("export", short_help="Write the log as a file that can be verified without it.")
@shared
@click.option("--output", type=_NEW, required=True, help="The file; only its owner can read it.")
@click.option("--hashes", "only_hashes", is_flag=True, help="Hashes and checkpoints alone: nothing of anybody.")
def export(target: str, settings: str | None, output: Path, only_hashes: bool) -> None:
    """Sign the audit log of TARGET (module:attribute), and write it as lines of JSON.

    \b
    Examples:
      narrows audit export bffs.where2eat.app:bff --output audit.jsonl
      narrows audit export bffs.where2eat.app:bff --output hashes.jsonl --hashes
    """
    from narrows.audit.checkpoint import size_of
    from narrows.audit.export import export

    async def write(log: Opened) -> int:
        size = size_of(await _sign(log)) or 0
        with _created(output) as file, Progress(max(1, size // _EACH)) as progress:
            count = 0
            async for line in export(log.store, log.signer.origin, size, records=not only_hashes):
                file.write(line)
                count += 1
                if count % _EACH == 0:
                    progress.step(f"{count} lines")
        return size

    say(f"{output}: {with_log(target, settings, write)} records")


@click.command("prove", short_help="Prove that one record is in the log.")
@shared
@click.argument("index", type=click.IntRange(0))
@click.option("--record", type=_NEW, help="Write the record here, as it was hashed.")
def prove(target: str, settings: str | None, index: int, record: Path | None) -> None:
    """Print a proof that the record INDEX is in the audit log of TARGET (module:attribute), with its checkpoint.

    Whoever has the proof, the record and the public key can verify it, and sees no other record.

    \b
    Examples:
      narrows audit prove bffs.where2eat.app:bff 118 --record record.json > proof.txt
    """
    from narrows.audit.prove import prove_inclusion
    from narrows.errors import AuditRefused

    async def proven(log: Opened) -> tuple[str, bytes]:
        note = await _sign(log)
        try:
            found = await prove_inclusion(log.store, index, note)
        except ValueError as error:
            raise AuditRefused(f"Record {index} cannot be proven: {error}. Remedy: narrows audit verify.") from None
        return str(found), found.leaf

    proof, leaf = with_log(target, settings, proven)
    if record is not None:
        with _created(record) as file:
            file.write(leaf)
    say(proof, nl=False)


@click.command("verify", short_help="Verify the log, an export of it, or the proof of one record.")
@click.argument("target", required=False)
@click.option("--settings", type=_NEW, help="The settings file of TARGET.")
@click.option("--export", "exported", type=_FILE, help="An export, in place of TARGET.")
@click.option("--proof", type=_FILE, help="The proof of one record, in place of TARGET; with --record.")
@click.option("--record", type=_FILE, help="The record that --proof is about.")
@click.option("--checkpoint", "kept", type=_FILE, multiple=True, help="A checkpoint that was kept elsewhere.")
@click.option("--hashes", type=_FILE, help="An export, with hashes alone or whole, that was kept elsewhere.")
@click.option("--key", "keys", multiple=True, help="A public key of the log (name+id+key), or a file with some.")
def verify(
    target: str | None,
    settings: Path | None,
    exported: Path | None,
    proof: Path | None,
    record: Path | None,
    kept: Sequence[Path],
    hashes: Path | None,
    keys: Sequence[str],
) -> None:
    """Verify that the audit log of TARGET (module:attribute) is what was written, or name the first bad record.

    An export, or a proof, is verified offline by the public key alone. Exit code 1 if it is not whole.

    \b
    Examples:
      narrows audit verify bffs.where2eat.app:bff
      narrows audit verify --export audit.jsonl --key audit.pub --checkpoint checkpoint.txt
      narrows audit verify --proof proof.txt --record record.json --key audit.pub
    """
    if sum(given is not None for given in (target, exported, proof)) != 1 or (proof is None) != (record is None):
        raise click.UsageError("Give one of TARGET, --export FILE, and --proof FILE with --record FILE.")
    if target is None and not keys:
        raise click.UsageError("--key is missing: what was signed is verified by it. narrows audit checkpoint --key")
    if proof is not None and record is not None:
        _verify_proof(proof, record, _keys(keys))
        return
    with ExitStack() as open_files:
        how = _Kept([file.read_text(encoding="utf-8", errors="replace") for file in kept], hashes, open_files)
        if exported is not None:
            verdict = _of_export(open_files.enter_context(exported.open("rb")), how.verifier(_keys(keys)))
        else:
            named = str(settings) if settings else None
            verdict, fresh = with_log(target or "", named, lambda log: _of_log(log, how, keys))
            if fresh and verdict.first_bad is None:
                say(f"The last {fresh} of them were signed only now: {_UNTOLD}", err=True)
    _tell(verdict)


class _Kept:
    """What was kept elsewhere: checkpoints, and hashes."""

    def __init__(self, notes: Sequence[str], hashes: Path | None, files: ExitStack) -> None:
        self._notes = notes
        self._hashes = _lines(files.enter_context(hashes.open("rb"))) if hashes else None

    def verifier(self, keys: Sequence[PublicKey]) -> Verifier:
        """What takes the lines of an export. Raises `CheckpointRefused`."""
        from narrows.audit.verify import Verifier

        return Verifier(keys, kept=self._notes, hashes=self._hashes)


async def _of_log(log: Opened, how: _Kept, keys: Sequence[str]) -> tuple[Verdict, int]:
    """Verify the log itself, signed as far as it goes; one that cannot be signed any more is looked at all the same.

    The second is how many records no checkpoint covered before. One without any checkpoint is not signed: should
    somebody have taken them away, that would vouch for what they wrote.
    """
    from narrows.audit.checkpoint import size_of
    from narrows.audit.export import export
    from narrows.audit.signing import LogBroken, newest

    before = await newest(log.store)
    broken, size = "", (await log.store.head()).size
    try:
        size = (size_of(await _sign(log)) or 0) if before is not None else size
    except LogBroken as error:
        broken = str(error)
    verifier = how.verifier(_keys(keys) if keys else log.signer.public)
    with Progress(max(1, size // _EACH)) as progress:
        async for line in export(log.store, log.signer.origin, size):
            if not verifier.take(line):
                break
            _step(progress, verifier)
    verdict = verifier.end()
    if broken and verdict.first_bad is None:
        raise click.ClickException(f"The log is not whole. {broken}")
    return verdict, size - (size_of(before or "") or 0)


def _of_export(file: BinaryIO, verifier: Verifier) -> Verdict:
    with Progress(1) as progress:
        for line in _lines(file):
            if not verifier.take(line):
                break
            _step(progress, verifier)
    return verifier.end()


def _step(progress: Progress, verifier: Verifier) -> None:
    if verifier.size and verifier.size % _EACH == 0:
        progress.step(f"{verifier.size} records")


def _verify_proof(proof: Path, record: Path, keys: Sequence[PublicKey]) -> None:
    """Verify that one record is in the log. Raises `CheckpointRefused`."""
    from narrows.audit.checkpoint import CheckpointRefused
    from narrows.audit.prove import check_inclusion

    try:
        found = check_inclusion(proof.read_text(encoding="utf-8", errors="replace"), record.read_bytes(), keys)
    except CheckpointRefused as refused:
        raise click.ClickException(str(refused)) from None
    say(f"The record is in {found.origin}, among its first {found.size} records.")


def _tell(verdict: Verdict) -> None:
    """Say what was found; a log that is not whole ends with 1."""
    if verdict.first_bad is None:
        say(f"Whole: {verdict.size} records, all of them signed.")
        return
    place = str(verdict.first_bad) if verdict.exact else f"{verdict.first_bad} to {verdict.last_bad}, one of these"
    say(f"NOT whole. First bad record: {place}: {verdict.why}.")
    raise click.exceptions.Exit(1)


async def _sign(log: Opened) -> str:
    """Sign how far the log goes. Raises `LogBroken` and `Unavailable`."""
    from narrows.audit.signing import sign

    return await sign(log.store, log.signer, await log.store.head())


def _keys(named: Sequence[str]) -> list[PublicKey]:
    """Public keys as they are given, or from files. Raises `CheckpointRefused`."""
    from narrows.audit.checkpoint import PublicKey

    texts = [Path(name).read_text(encoding="utf-8") if Path(name).is_file() else name for name in named]
    return [PublicKey.parse(line) for text in texts for line in text.split()]


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of an export, none of them longer than one can be."""
    from narrows.audit.verify import LONGEST

    return iter(lambda: file.readline(LONGEST + 1), b"")


def _created(path: Path) -> BinaryIO:
    """A new file that only its owner can read. Raises `AuditRefused` for one that is there already."""
    from narrows.errors import AuditRefused

    try:
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
    except OSError as error:
        raise AuditRefused(f"{path} cannot be made ({error.strerror}). Remedy: name a new file.") from None
