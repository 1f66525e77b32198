"""Casbin policy files: read line by line with Casbin's own parser, and refused where Casbin would be silent."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from narrows.errors import PolicyError
from narrows.identity.roles_names import ANY, is_domain, is_object, is_role, is_subject

_SHOWN: Final = 20


def policy_error(faults: Sequence[str]) -> PolicyError:
    """The error for all faults found, of which it shows the first twenty.

    No fault may hold the value of a field: those are names of people.
    """
    more = len(faults) - _SHOWN
    return PolicyError("\n".join(faults[:_SHOWN]) + (f"\nand {more} more" if more > 0 else ""))


class PolicyText(msgspec.Struct, frozen=True):
    """A policy or model file: its name, for errors and the audit, and its text."""

    name: str
    text: str


class Rule(msgspec.Struct, frozen=True):
    """One policy line as Casbin reads it: its type (``p`` or ``g``), fields and place (``policy a.csv:3``)."""

    ptype: str
    fields: tuple[str, ...]
    source: str


def read_policy(path: Path) -> PolicyText:
    """Read a policy or model file.

    Raises:
        PolicyError: The file cannot be read or is not UTF-8.
    """
    try:
        return PolicyText(path.name, path.read_bytes().decode())
    except OSError as error:
        raise PolicyError(f"{path.name}: cannot be read ({error.strerror}); check its path and rights") from error
    except UnicodeDecodeError as error:
        raise PolicyError(f"{path.name}: is not UTF-8; save it as UTF-8") from error


def load_model(model: PolicyText) -> Any:
    """Casbin's model object for a model text, without policies.

    Raises:
        PolicyError: Casbin cannot read the text, or a definition is missing.
    """
    from casbin.model import Model  # casbin takes 0.1 s to import, and most BFFs have no policy files

    loaded = Model()
    try:
        loaded.load_model_from_text(model.text)
    except Exception as error:  # casbin raises whatever its reader stumbles on
        raise PolicyError(f"{model.name}: Casbin cannot read this model ({error}); see the model syntax") from error
    missing = [section for section in ("r", "p", "e", "m") if section not in loaded.keys()]  # noqa: SIM118 - not a dict
    if missing:
        raise PolicyError(f"{model.name}: the definition of {', '.join(missing)} is missing; add its section")
    return loaded


def read_rules(model: Any, texts: Iterable[PolicyText]) -> list[Rule]:
    """Read every line of the policy files, for the definitions in a model from `load_model`.

    Raises:
        PolicyError: Lines that Casbin would drop, cut or choke on later.
    """
    rules: list[Rule] = []
    faults: list[str] = []
    for text in texts:
        # Casbin's file adapter ends lines at "\n" alone and strips them
        for number, line in enumerate(text.text.split("\n"), 1):
            source = f"policy {text.name}:{number}"
            try:
                rules += _read_line(model, line.strip(), source)
            except ValueError as error:
                faults.append(f"{source}: {error}")
    if faults:
        raise policy_error(faults)
    return rules


def _read_line(model: Any, line: str, source: str) -> list[Rule]:
    if not line or line.startswith("#"):
        return []
    ptype, fields = _parse(model, line)
    wanted = field_names(model, ptype)
    if len(fields) != len(wanted):
        raise ValueError(f"{ptype} has {len(fields)} fields; write {len(wanted)}: {', '.join((ptype, *wanted))}")
    return [Rule(ptype, tuple(fields), source)]


def _parse(model: Any, line: str) -> tuple[str, list[str]]:
    from casbin.persist import load_policy_line

    model.clear_policy()
    try:
        load_policy_line(line, model)
    except IndexError as error:
        raise ValueError("cannot be parsed; start with p or g and close every bracket") from error
    for section in ("p", "g"):
        for ptype, definition in (model[section] or {}).items():
            if definition.policy:
                return ptype, definition.policy[0]
    raise ValueError("starts with a type that the model does not define, so Casbin would drop it; write p or g")


def field_names(model: Any, ptype: str) -> tuple[str, ...]:
    """Names of the fields that a policy type has in this model; those of a role definition have none in Casbin."""
    if ptype[0] == "p":
        return tuple(token.removeprefix(f"{ptype}_") for token in model["p"][ptype].tokens)
    return ("name", "role", "domain", "more", "more")[: model["g"][ptype].value.count("_")]


_Check = Callable[[str], bool]


def _is_holder(name: str) -> bool:
    return is_subject(name) or is_role(name)


_HOLDER: Final = "user:<issuer>|<sub> or role:<name>"
_FORMS: Final[Mapping[str, tuple[tuple[str, _Check, str], ...]]] = {
    "p": (
        ("sub", _is_holder, _HOLDER),
        ("dom", lambda name: name == ANY or is_domain(name), "<kind>:<value> or *"),
        ("obj", lambda name: name == ANY or is_object(name), "an endpoint's id or *"),
        ("eft", lambda name: name in ("allow", "deny"), "allow or deny"),
    ),
    "g": (
        ("name", _is_holder, _HOLDER),
        ("role", is_role, "role:<name>"),
        ("domain", is_domain, "<kind>:<value>"),
    ),
}


def check_forms(rules: Iterable[Rule]) -> None:
    """Check that the fields of p and g lines of the built-in model are written as requests will ask for them.

    Raises:
        PolicyError: A field is not, so that the line could never match or would match what it must not.
    """
    faults = [
        f"{rule.source}: {field} is not of the form {form}; "
        "write it so, values percent-encoded outside [A-Za-z0-9_-], without quotes"
        for rule in rules
        for (field, check, form), value in zip(_FORMS[rule.ptype], rule.fields, strict=True)
        if not check(value)
    ]
    if faults:
        raise policy_error(faults)
