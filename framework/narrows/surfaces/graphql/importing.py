"""Documents of another registry become files of this one: named by their operation, with ids that were recomputed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from graphql import DocumentNode, GraphQLError, OperationDefinitionNode, parse

from narrows.surfaces.graphql.files import MOST_BYTES, NAME
from narrows.surfaces.graphql.ids import is_id, is_sha256
from narrows.surfaces.graphql.manifest import Listed, ManifestError

TOKENS = 20_000
"""The most that is read of a document; what a BFF lets one have is less, and refused by its start."""
_BOM = "\ufeff"


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """A document to be written to `file`, if it is `new` there; `ids` are those that are not its hash."""

    name: str
    body: str
    ids: tuple[str, ...]
    file: Path
    new: bool

    def declaration(self, variable: str = "bff") -> str:
        """The line that declares it; what stands as `...` is the team's to say, and refused by the start till then."""
        ids = f"ids=[{', '.join(f'{own!r}'.replace(chr(39), chr(34)) for own in self.ids)}], " if self.ids else ""
        return f'{variable}.document("{self.name}", {ids}roles=..., scope=..., rate=...)'


def plan_import(listed: Sequence[Listed], into: Path) -> list[Imported]:
    """What would be written into a folder, by name. Raises `ManifestError` with every fault; nothing is written."""
    faults: list[str] = []
    found: dict[str, Imported] = {}
    for one in listed:
        try:
            _add(found, _read(one, into))
        except _Fault as fault:
            faults.append(f"{one.where}: {fault}")
    faults += _taken(found)
    if faults:
        raise ManifestError("\n".join(faults))
    return [found[name] for name in sorted(found)]


def write_import(found: Sequence[Imported], into: Path) -> None:
    """Write what is new, all or nothing; never over a file, and never through a link. Raises `ManifestError`."""
    written: list[Path] = []
    try:
        into.mkdir(parents=True, exist_ok=True)
        for one in found:
            if one.new:
                with one.file.open("xb") as opened:
                    written.append(one.file)
                    opened.write(one.body.encode("utf-8"))
    except OSError as error:
        for file in written:
            file.unlink()
        raise ManifestError(
            f"{error.filename}: cannot be written ({error.strerror}). Remedy: see what is there."
        ) from None


class _Fault(Exception):
    """One document cannot be taken: rule and remedy."""

    def __init__(self, rule: str, remedy: str) -> None:
        super().__init__(f"{rule}. Remedy: {remedy}.")


def _read(one: Listed, into: Path) -> Imported:
    """One document of a list. Raises `_Fault`."""
    digest = _digest(one.body)
    operation = _operation(one.body)
    name = operation.name.value if operation.name else ""
    if not NAME.fullmatch(name):
        raise _Fault(
            f"{name!r} is no name for a document", "name its operation with a-z, A-Z, 0-9 and _, a letter first"
        )
    _check_claims(one, operation, name)
    ids = () if one.id is None or one.id == digest else (_foreign(one.id),)
    return Imported(name=name, body=one.body, ids=ids, file=into / f"{name}.graphql", new=True)


def _digest(body: str) -> str:
    try:
        content = body.encode("utf-8")
    except UnicodeEncodeError:
        raise _Fault("it holds half a character", "write it anew by the client's own tool") from None
    if len(content) > MOST_BYTES or body.startswith(_BOM):
        raise _Fault(f"it is longer than {MOST_BYTES} bytes, or begins with a byte order mark", "leave it out")
    return hashlib.sha256(content).hexdigest()


def _operation(body: str) -> OperationDefinitionNode:
    """Its one operation. Raises `_Fault`."""
    try:
        tree: DocumentNode = parse(body, max_tokens=TOKENS)
    except GraphQLError as error:
        raise _Fault(f"it is no GraphQL ({ascii(error.message[:200])[1:-1]})", "correct it, or leave it out") from None
    operations = [node for node in tree.definitions if isinstance(node, OperationDefinitionNode)]
    if len(operations) != 1 or operations[0].operation.value == "subscription":
        raise _Fault("it is not one query or one mutation", "make a document of each, with its fragments")
    return operations[0]


def _check_claims(one: Listed, operation: OperationDefinitionNode, name: str) -> None:
    """Compare what a manifest says of a document with the document. Raises `_Fault`."""
    if one.name is not None and one.name != name:
        raise _Fault(f"it is listed as {one.name[:80]!a} and is {name}", "write the manifest anew")
    if one.kind is not None and one.kind != operation.operation.value:
        raise _Fault(f"it is listed as a {one.kind} and is a {operation.operation.value}", "write the manifest anew")


def _foreign(own: str) -> str:
    """An id that is not the hash of its document: that of another registry. Raises `_Fault`."""
    if is_sha256(own):
        raise _Fault("its id is a SHA-256, and not that of its text", "write the manifest anew; do not correct the id")
    if not is_id(own):
        raise _Fault(f"its id is none: {own[:80]!a}", "use 1 to 128 of A-Z a-z 0-9 . _ -")
    return own


def _add(found: dict[str, Imported], one: Imported) -> None:
    """Add a document; the same one again only adds its id. Raises `_Fault`."""
    first = found.setdefault(one.name, one)
    if first.body != one.body:
        raise _Fault(f"another document is called {one.name}", "rename one of them in the client")
    found[one.name] = msgspec.structs.replace(first, ids=tuple(dict.fromkeys((*first.ids, *one.ids))))


def _taken(found: dict[str, Imported]) -> Iterator[str]:
    """What stands in the way of documents: each other, and files."""
    names: dict[str, str] = {}
    ids: dict[str, str] = {}
    for name, one in found.items():
        if (other := names.setdefault(name.lower(), name)) != name:
            yield f"{one.file}: it differs from {other} in case alone. Remedy: rename one of them in the client."
        for own in one.ids:
            if (other := ids.setdefault(own, name)) != name:
                yield f"{one.file}: {own!r} is the id of {other} too. Remedy: write the manifest anew."
        if one.file.is_symlink() or one.file.exists():
            if not one.file.is_symlink() and one.file.is_file() and one.file.read_bytes() == one.body.encode():
                found[name] = msgspec.structs.replace(one, new=False)
            else:
                yield f"{one.file}: something else stands there. Remedy: rename it, or the operation in the client."
