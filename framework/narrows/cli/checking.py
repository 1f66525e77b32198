"""Everything that a start, an apply or an approval would refuse in one BFF, without serving and without a secret."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import get_args

import msgspec

from narrows.audit.keys import key_faults
from narrows.checks import form_refusals
from narrows.checks.handlers import handler_refusals
from narrows.cli.checking_connectors import gate_refusals, read_files, template_refusals
from narrows.declare.bff import Bff
from narrows.declare.endpoint import Endpoint
from narrows.errors import NarrowsError, PolicyError, Refusal, SettingsError, StartRefused
from narrows.governance.policy import Gate
from narrows.settings import Environment, Settings, load_settings
from narrows.settings.absent import offline
from narrows.stores.opening import place_faults
from narrows.surfaces.http import Application, documents_of

_SETTINGS_PLACE = re.compile(r"narrows\.toml \((?P<environment>[a-z]+)\)")
_ENVIRONMENT = re.compile(r" \(([a-z]+)\)$")
# Keys that stand above every table, so that no dot tells that they are keys.
_ALONE = ("environment", "public_url")
_FAULT = re.compile(r"(?:(?P<file>.+?\.toml): )?(?P<rule>.*?)(?: Remedy: (?P<remedy>.*?)\.?)?", re.DOTALL)


class Check:
    """One BFF under its settings file; with `registry`, its key is read, and grants are taken from there."""

    def __init__(self, bff: Bff, settings_file: Path, *, registry: bool = False) -> None:
        self.bff = bff
        self._file = settings_file
        self.unready: list[str] = []
        self._written, self._unsound = read_files(bff)
        self._registry = registry
        self._documents = _documents(bff)
        self._text = settings_file.read_text(encoding="utf-8", errors="replace") if settings_file.is_file() else ""

    def refusals(self, environments: Iterable[str] = ()) -> list[Refusal]:
        """Every refusal, each once; of all environments that the settings file knows, or of those named.

        Unless it was named, an environment whose hosts stand for others is put into `unready` instead.
        """
        own, *others = self.environments()
        found = [refusal for name in environments or [own] for refusal in self._start(name)]
        for name in () if environments else others:
            refusals = list(self._start(name))
            if any(refusal.code == "placeholder-left" for refusal in refusals):
                self.unready.append(name)
            else:
                found += refusals
        found += self._unsound
        found += handler_refusals(self.bff)
        gate = Gate.of(self.bff)
        found += gate.refusals
        if self._is_formed():  # a policy is asked of declarations, not of what is none
            found += gate_refusals(self.bff, gate, self._written, self._with_registry(), self._documents or ())
        return _told_once(found)

    def _is_formed(self) -> bool:
        """Whether each guard is of its kind; where one is not, such as `roles=...`, each start tells it."""
        return not any(any(form_refusals(one)) for one in (*self.bff.endpoints, *(self._documents or ())))

    def _with_registry(self) -> Settings | None:
        """The settings with their secrets, if the registry is to be read."""
        return load_settings(self._file) if self._registry else None

    def environments(self) -> list[str]:
        """The environments of the settings file: the one it is for, and each that has a section."""
        try:
            document = tomllib.loads(self._text)
        except tomllib.TOMLDecodeError:
            document = {}
        sections = document.get("environments")
        chosen = os.environ.get("NARROWS_ENVIRONMENT") or document.get("environment") or "production"
        listed = sections if isinstance(sections, dict) else ()
        # A section of any other name is a fault of the file, which each environment tells.
        return list(dict.fromkeys([str(chosen), *(name for name in listed if name in get_args(Environment))]))

    def _start(self, environment: str) -> Iterator[Refusal]:
        """What a start in one environment refuses."""
        try:
            settings = self._settings(environment)
        except SettingsError as error:
            yield from (self._fault(line, environment) for line in str(error).splitlines())
            return
        yield from (self._fault(fault, environment) for fault in (*place_faults(settings), *key_faults(settings)))
        if self._documents is not None:
            yield from template_refusals(self.bff, self._written, settings, self._documents)
        try:
            Application(self.bff, offline(settings))
        except StartRefused as refused:
            yield from (self._placed(refusal) for refusal in refused.refusals)
        except (SettingsError, PolicyError) as error:
            yield from (self._fault(line, environment) for line in str(error).splitlines())

    def _settings(self, environment: str) -> Settings:
        variables = {**os.environ, "NARROWS_ENVIRONMENT": environment}
        return load_settings(self._file, variables, secrets=False)

    def _fault(self, said: str, environment: str) -> Refusal:
        """A sentence about the settings as a refusal at the line of its key."""
        fault = _FAULT.fullmatch(said)
        rule, remedy = (fault["rule"], fault["remedy"]) if fault else (said, None)
        key = re.match(r"[a-z_]+(?:\.[A-Za-z0-9_-]+)*(?=[: ])", rule)
        named = key is not None and ("." in key[0] or rule.startswith(f"{key[0]}:") or key[0] in _ALONE)
        subject = key[0] if key and named else "settings"
        if unknown := re.search(r"unknown field `(.+?)`", rule):
            place = f"{subject}.{unknown[1]}" if named else unknown[1]
        else:
            place = subject
        if named and rule.startswith(f"{subject} "):
            rule = f"it {rule.removeprefix(f'{subject} ')}"
        at = re.search(r"at line (\d+)", rule)
        return Refusal(
            code="settings-unsound",
            subject=subject,
            where=f"{self._file}:{at[1] if at else line_of(self._text, place, environment)}",
            rule=f"{rule.removeprefix(f'{subject}: ').rstrip('.')} ({environment})",
            remedy=remedy or "correct it; docs/reference/settings.md has every key",
        )

    def _placed(self, refusal: Refusal) -> Refusal:
        """A refusal of the settings with its line in the file."""
        place = _SETTINGS_PLACE.fullmatch(refusal.where)
        if place is None:
            return refusal
        line = line_of(self._text, refusal.subject, place["environment"])
        return msgspec.structs.replace(refusal, where=f"{self._file}:{line}")


def _told_once(found: Iterable[Refusal]) -> list[Refusal]:
    """Each refusal once; a fault of the settings that several environments share names all of them."""
    shared: dict[Refusal, list[str]] = {}
    for refusal in found:
        environment = _ENVIRONMENT.search(refusal.rule) if refusal.code == "settings-unsound" else None
        rule = _ENVIRONMENT.sub("", refusal.rule) if environment else refusal.rule
        names = shared.setdefault(msgspec.structs.replace(refusal, rule=rule), [])
        if environment and environment[1] not in names:
            names.append(environment[1])
    return [
        msgspec.structs.replace(refusal, rule=f"{refusal.rule} ({', '.join(names)})") if names else refusal
        for refusal, names in shared.items()
    ]


def line_of(text: str, key: str, environment: str) -> int:
    """The line of a key such as `issuers.corp.url` in a settings file: its own, that of its table, or the first.

    A line in the section of the environment comes before one in the common part.
    """
    parts = re.sub(r"\[[0-9]+\]", "", key).split(".")
    best, line = (0, 1), 1
    table: list[str] = []
    for number, written in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[{1,2}([^\[\]]+)\]{1,2}\s*(?:#.*)?$", written):
            table = [part.strip().strip("\"'") for part in header[1].split(".")]
            named = table
        elif assigned := re.match(r"\s*([A-Za-z0-9_.\"'-]+)\s*=", written):
            named = [*table, *assigned[1].replace('"', "").replace("'", "").split(".")]
        else:
            continue
        own = named[:2] == ["environments", environment]
        bare = named[2:] if own else named
        score = (len(bare), own) if bare == parts[: len(bare)] and bare else (0, 0)
        if score > best:
            best, line = score, number
    return line


# What these say is a name of the source, and no value that the module has read.
_PLAIN = (NarrowsError, ImportError, NameError, AttributeError)


def broken(target: str, error: Exception, file: Path) -> Refusal:
    """A target whose module does not import: the last line of it that ran is where to look."""
    line, trace = 1, error.__traceback__
    while trace is not None:
        if Path(trace.tb_frame.f_code.co_filename) == file:
            line = trace.tb_lineno
        trace = trace.tb_next
    told = str(error).splitlines()[0] if isinstance(error, _PLAIN) else ""
    rule = f"its module does not import: {type(error).__name__}{f': {told}' if told else ''}"
    return Refusal(code="target-broken", subject=target, where=f"{file}:{line}", rule=rule, remedy="correct that line")


def _documents(bff: Bff) -> list[Endpoint] | None:
    """The documents of a BFF; None for those that do not hold, which each start tells."""
    try:
        return documents_of(bff)
    except StartRefused:
        return None
