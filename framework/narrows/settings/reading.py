"""Settings are read from `narrows.toml`, the environment's section and `NARROWS_…` variables, in this order."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import msgspec

from narrows.errors import SettingsError
from narrows.settings.absent import AbsentSecret
from narrows.settings.basis import Secret
from narrows.settings.faults import explained, wrong_listener, wrong_names, wrong_urls
from narrows.settings.parts import Environment, Settings

_PREFIX = "NARROWS_"
_FORM = 'a secret is given as { file = "…" } or { env = "…" }, never as text'


def load_settings(
    path: str | Path = "narrows.toml", environ: Mapping[str, str] | None = None, *, secrets: bool = True
) -> Settings:
    """Read the settings file, lay the environment's section and then the variables over it.

    `NARROWS_ENVIRONMENT` chooses the section; `NARROWS_ISSUERS__CORP__URL=…` sets one key (two underscores a level).
    Without `secrets` none is read, and what is made of the settings does not start. Raises `SettingsError`.
    """
    variables = os.environ if environ is None else environ
    document = load_document(path, variables)
    return read_settings(document, where=str(Path(path)), environ=variables, secrets=secrets)


def load_document(path: str | Path, environ: Mapping[str, str], default: Environment = "production") -> dict[str, Any]:
    """The settings as plain tables, before they are judged; see `load_settings`. Raises `SettingsError`.

    `default` is the environment where neither the file nor the variables name one.
    """
    file = Path(path)
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"{file}: there is no such file. Remedy: create it, or name it with --settings.") from None
    except OSError as error:
        raise SettingsError(f"{file}: cannot be read ({error.strerror}). Remedy: name a file that can.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: not valid TOML ({error}). Remedy: correct that line.") from None
    chosen = environ.get(_PREFIX + "ENVIRONMENT") or document.get("environment") or default
    document = merge(document, _section(document.pop("environments", {}), chosen, file))
    for name, value in environ.items():
        if name.startswith(_PREFIX):
            _set(document, name.removeprefix(_PREFIX).lower().split("__"), value, name)
    return document | {"environment": chosen, "base": str(file.parent)}


def merge(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one table over another, table by table; anything but a table replaces, and so does the place of a secret."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(below, dict) and isinstance(value, Mapping) and not is_secret_place(value):
            merged[key] = merge(below, value)
        else:
            merged[key] = value
    return merged


def is_secret_place(value: Any) -> bool:
    """Whether a value of the settings says where a secret is read: `{file = "…"}` or `{env = "…"}`."""
    return isinstance(value, Mapping) and value.keys() in ({"file"}, {"env"})


def read_settings(
    document: Mapping[str, Any],
    *,
    where: str = "settings",
    environ: Mapping[str, str] | None = None,
    secrets: bool = True,
) -> Settings:
    """Turn plain tables into `Settings`. Raises `SettingsError` naming the key and the remedy."""
    variables = os.environ if environ is None else environ
    base = Path(str(document.get("base", ".")))

    def secret(_: type, value: Any) -> Secret:
        """Secrets are the only values that msgspec does not know itself."""
        if isinstance(value, Secret):
            return value
        return _read_secret(value, base, variables) if secrets else _absent(value)

    try:
        settings = msgspec.convert(document, Settings, strict=False, dec_hook=secret)
    except msgspec.ValidationError as error:
        raise SettingsError(explained(document, error, secret, where)) from None
    faults = [
        f"{where}: {fault}" for fault in (*wrong_names(settings), *wrong_urls(settings), *wrong_listener(settings))
    ]
    if faults:
        raise SettingsError("\n".join(faults))
    return settings


def _section(sections: Any, chosen: Any, file: Path) -> Mapping[str, Any]:
    """The section of the chosen environment; a section under any other name would be lost in silence."""
    known = get_args(Environment)
    if not isinstance(sections, Mapping) or not all(isinstance(section, Mapping) for section in sections.values()):
        raise SettingsError(f"{file}: `environments` holds a value. Remedy: write tables as [environments.staging].")
    for name in sections:
        if name not in known:
            raise SettingsError(
                f"{file}: environments.{name} is no environment. Remedy: name it one of: {', '.join(known)}."
            )
    section: Mapping[str, Any] = sections.get(chosen, {})
    return section


def _set(document: dict[str, Any], path: list[str], value: str, name: str) -> None:
    """Put one variable's value at its place in the tables."""
    *tables, key = path
    table = document
    for part in tables:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            raise SettingsError(f"{name}: `{part}` is a value, not a table. Remedy: name an existing key.")
    table[key] = value


def _absent(value: Any) -> Secret:
    """What stands for a secret that is not read. Raises ValueError for one in another form."""
    match value:
        case {"file": str(name), **rest} | {"env": str(name), **rest} if not rest:
            return AbsentSecret(name)
        case _:
            raise ValueError(_FORM)


def _read_secret(value: Any, base: Path, variables: Mapping[str, str]) -> Secret:
    """Read `{file = "…"}` or `{env = "…"}`; a secret written into the settings is refused.

    Raises ValueError, to which msgspec adds the key.
    """
    match value:
        case {"file": str(name), **rest} if not rest:
            try:
                found = (base / name).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError):
                raise ValueError(f"the secret's file {name!r} cannot be read") from None
        case {"env": str(name), **rest} if not rest:
            if name not in variables:
                raise ValueError(f"the secret's variable {name!r} is not set")
            found = variables[name]
        case _:
            raise ValueError(_FORM)
    if not found:
        raise ValueError(f"the secret of {name!r} is empty")
    return Secret(found)
