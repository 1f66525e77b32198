"""The policy gate: Rego policies decide over a connector's record and the BFF's declarations.

Everything that is not a clear yes of every policy is a no: an undefined rule, an error, a crash, a policy that is late,
an input that is too large, a policy without tests or with tests that fail.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from narrows.declare.bff import Bff
from narrows.errors import Refusal
from narrows.governance.rego.cases import Sources, allows, test_faults
from narrows.governance.rego.engine import Engine, EngineFailed, Failed, Regopy, Undefined
from narrows.governance.rego.form import FILE_BYTES, Fault, policy_faults, read_module

SHIPPED = Path(__file__).parent / "policies"
POLICIES = 64
DENIALS = 100
_TEXT = 500


class Policy(msgspec.Struct, frozen=True):
    """One policy whose form holds and whose tests pass."""

    name: str
    text: str


class Denial(msgspec.Struct, frozen=True, kw_only=True):
    """One reason of a policy: its rule, what does not hold, what to do, and the field of the record.

    `grant` is what an approver could grant to lift it; without it only another record helps.
    """

    policy: str
    rule: str
    message: str
    remedy: str
    field: str = ""
    grant: str = ""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate decided: allowed only without any denial; `policies` are the names of those that were asked."""

    policies: tuple[str, ...]
    denials: tuple[Denial, ...]

    @property
    def allowed(self) -> bool:
        """Whether every policy said a clear yes."""
        return not self.denials


class Gate:
    """The policies of Narrows and of one BFF; with `refusals` in hand it allows nothing."""

    def __init__(self, policies: Sequence[Policy], refusals: Sequence[Refusal], engine: Engine) -> None:
        self.policies = tuple(policies)
        self.refusals = tuple(refusals)
        self._engine = engine

    @classmethod
    def of(cls, bff: Bff, engine: Engine | None = None) -> Gate:
        """Read the policies of Narrows and of `policy/` beside the BFF, and run their tests."""
        return cls.reading((SHIPPED, bff.folder / "policy"), engine)

    @classmethod
    def reading(cls, folders: Iterable[Path], engine: Engine | None = None) -> Gate:
        """Read the policies of some folders, and run their tests."""
        used = engine or Regopy()
        files = [file for folder in folders for file in sorted(folder.glob("*.rego"))]
        policies: dict[str, Policy] = {}
        refusals: list[Refusal] = []
        if len(files) > POLICIES * 2:
            refusals.append(_refusal("rego-form", files[0], Fault(1, f"more than {POLICIES} policies", "join some")))
            files = []
        for file in files:
            found = _read(file, files, used)
            if isinstance(found, Policy) and found.name in policies:
                fault = Fault(1, f"there is a policy {found.name} already", "give the file another name")
                found = [_refusal("rego-form", file, fault)]
            if isinstance(found, Policy):
                policies[found.name] = found
            elif found is not None:
                refusals += found
        return cls(list(policies.values()), refusals, used)

    def decide(self, document: Mapping[str, Any]) -> Decision:
        """Ask every policy about what `asked` made."""
        denials = [_of_refusal(refusal) for refusal in self.refusals]
        for policy in self.policies:
            denials += self._ask(policy, document)
        if not self.policies and not denials:
            denials.append(_nothing("gate", "there is no policy to ask", "reinstall Narrows: its own are missing"))
        return Decision(policies=tuple(policy.name for policy in self.policies), denials=tuple(denials))

    def _ask(self, policy: Policy, document: Mapping[str, Any]) -> list[Denial]:
        ways = [f"narrows/{policy.name}/{way}" for way in ("allow", "deny")]
        try:
            ((allow, deny),) = self._engine({f"{policy.name}.rego": policy.text}, ways, [document])
        except EngineFailed as error:
            return [_nothing(policy.name, str(error), "correct the policy, or what it is asked")]
        if allows(allow, deny):
            return []
        reasons = [_denial(policy.name, told) for told in deny[:DENIALS]] if isinstance(deny, list) else []
        return reasons or [_nothing(policy.name, f"it does not allow this, {_why(allow, deny)}", _SAY)]


_SAY = "have the policy say its reason in `deny`"


def _why(allow: Any, deny: Any) -> str:
    for value in (allow, deny):
        if isinstance(value, Failed):
            return f"for it ended in an error: {value.reason}"
        if isinstance(value, Undefined):
            return "for a rule of it is undefined"
    return "and gives no reason"


def _denial(policy: str, told: Any) -> Denial:
    """A reason as the policy gave it; one that is in another form counts as well."""
    fields = told if isinstance(told, Mapping) else {}

    def text(name: str, default: str = "") -> str:
        value = fields.get(name)
        return value[:_TEXT] if isinstance(value, str) else default

    return Denial(
        policy=policy,
        rule=text("rule", "unnamed"),
        message=text("message", "the policy denies it"),
        remedy=text("remedy", "ask those who wrote the policy"),
        field=text("field"),
        grant=text("grant"),
    )


def _nothing(policy: str, message: str, remedy: str) -> Denial:
    return Denial(policy=policy, rule="no-clear-yes", message=message, remedy=remedy)


def _of_refusal(refusal: Refusal) -> Denial:
    return _nothing(refusal.subject, f"{refusal.where}: {refusal.rule} [{refusal.code}]", refusal.remedy)


def _read(file: Path, files: Sequence[Path], engine: Engine) -> Policy | list[Refusal] | None:
    """One policy with its tests; None for a file of tests whose policy is read for itself."""
    name = file.stem
    if name.endswith("_test"):
        if file.with_name(f"{name.removesuffix('_test')}.rego") in files:
            return None
        return [_refusal("rego-form", file, Fault(1, "it tests no policy", f"put {name[:-5]}.rego beside it"))]
    beside = file.with_name(f"{name}_test.rego")
    try:
        text = _text(file)
        tests = _text(beside) if beside in files else ""
    except (OSError, UnicodeDecodeError):
        return [_refusal("rego-form", file, Fault(1, "it or its tests cannot be read", "write them as UTF-8"))]
    return _judged(file, Sources(name, text, tests), beside, engine)


def _judged(file: Path, sources: Sources, beside: Path, engine: Engine) -> Policy | list[Refusal]:
    name = sources.name
    module = read_module(sources.policy, name)
    faults = module if isinstance(module, list) else policy_faults(module)
    refusals = [_refusal("rego-form", file, fault) for fault in faults]
    if not sources.tests.strip():
        fault = Fault(1, "it has no tests", f"put {beside.name} beside it, with a test that allows and one that denies")
        return [*refusals, _refusal("rego-untested", file, fault)]
    tests = read_module(sources.tests, f"{name}_test", (f"data . narrows . {name}",), tests=True)
    if isinstance(tests, list):
        return [*refusals, *(_refusal("rego-form", beside, fault) for fault in tests)]
    if not refusals:
        refusals = [_refusal("rego-untested", beside, fault) for fault in test_faults(sources, tests, engine)]
    return refusals or Policy(name, sources.policy)


def _text(file: Path) -> str:
    """The text, read no further than what is refused for its size."""
    with file.open(encoding="utf-8") as opened:
        return opened.read(FILE_BYTES + 1)


def _refusal(code: str, file: Path, fault: Fault) -> Refusal:
    where = f"{file}:{fault.line}"
    return Refusal(code=code, subject=f"policy {file.stem}", where=where, rule=fault.rule, remedy=fault.remedy)
