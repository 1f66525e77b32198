"""The files of a BFF over the named operations of a document: `types.py`, `upstreams.py` and `app.py`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from narrows.devkit.scaffold.facts import Facts
from narrows.devkit.scaffold.openapi.gaps import Remark, shown
from narrows.devkit.scaffold.openapi.kinds import Either, Keyed, Kind, Loose, Many, Marked, Maybe, Model, Nothing, Ref
from narrows.devkit.scaffold.openapi.layout import Code, Group, Words, call, flat, laid, literal, named
from narrows.devkit.scaffold.openapi.names import pascal
from narrows.devkit.scaffold.openapi.operations import PATH_LEFT, Made, Parameter, problem_title
from narrows.devkit.scaffold.openapi.schemas import told
from narrows.devkit.scaffold.openapi.typing_code import Types, imports_of, words

_DECLARED = {"Answer", "Problem", "Upstream", "read", "write"}


def problem_class(upstream: str, status: int) -> str:
    """The name of the problem for a status: `GithubNotFound`."""
    return pascal(f"{upstream} {problem_title(status)}")


def upstreams_text(upstream: str, package: str, made: list[Made], types: Types) -> str:
    """The file `upstreams.py`."""
    statuses = sorted({status for one in made for status in one.statuses})
    problems = "\n".join(_problem(upstream, status) for status in statuses)
    body = "\n\n".join(_operation(upstream, one, types) for one in made)
    shown_names = "\n".join([*(flat_signature(one, types) for one in made), "Answer Problem Upstream"])
    used = shown_names + " " + " ".join(f"{one.kind}" for one in made)
    used = used if problems else used.replace("Problem ", "")
    imports = imports_of(used, {f"{package}.types": types.names, "narrows": _DECLARED}).rstrip()
    head = f'"""The upstream {upstream}: the operations that this BFF uses, made from its document."""\n\n{imports}'
    problems += "\n" if problems else ""
    return f'{head}\n\n{problems}\nclass {upstream}(Upstream):\n    """The API behind this BFF."""\n\n{body}\n'


def _problem(upstream: str, status: int) -> str:
    title = literal(f"{upstream} answered: {problem_title(status)}")
    return (
        f'\nclass {problem_class(upstream, status)}(Problem):\n    """The upstream answered {status}."""\n\n'
        f"    status = {status}\n    title = {title}\n"
        '    remedy = "Correct what was asked for, or ask the owner of this app."\n'
    )


def _operation(upstream: str, made: Made, types: Types) -> str:
    parts: list[Code] = [Words(made.path)]
    if made.kind == "write" and made.method != "POST":
        parts.append(named("method", literal(made.method)))
    parts.append(named("asks", literal(made.asks)))
    if made.statuses:
        problems = (named(str(status) + "", problem_class(upstream, status)) for status in made.statuses)
        parts.append(named("problems", Group("{", tuple(problems), "}")))
    renamed = [p for p in made.parameters if p.place == "query" and p.wire != p.name]
    if renamed:
        names = (f"{literal(p.name)}: {literal(p.wire)}" for p in renamed)
        parts.append(named("names", Group("{", tuple(names), "}")))
    if made.holes:
        parts.append(named("holes", holes(f"{one.said} ({one.pointer})" for one in made.holes)))
    decorator = laid(call(f"@{made.kind}", *parts), 4)
    return f"{decorator}\n{laid(_signature(made, types), 4, '', f' -> Answer[{answered(made, types)}]: ...')}"


def holes(said: Iterable[str]) -> Group:
    """A list of texts, each laid out within its line."""
    return Group("[", tuple(Words(shown(one)) for one in said), "]")


def answered(made: Made, types: Types) -> str:
    """The type of an answer."""
    return types.expression(made.answer, pascal(made.name) + "Answer")


def flat_signature(made: Made, types: Types) -> str:
    """The signature on one line, to see which names it uses."""
    return f"{flat(_signature(made, types))} {answered(made, types)}"


def _signature(made: Made, types: Types) -> Group:
    return Group(f"def {made.name}(", ("self", *parameters(made, types)), ")")


def in_order(made: Made) -> list[Parameter]:
    """Path values as they stand in the path, then what is required."""
    found = [p for p in made.parameters if p.place == "path"]
    found.sort(key=lambda one: made.path.find("{" + one.name + "}"))
    return found + [p for p in made.parameters if p.place == "query" and p.required]


def optional(made: Made) -> list[Parameter]:
    """What may be left out."""
    return [p for p in made.parameters if not p.required]


def parameters(made: Made, types: Types) -> list[str]:
    """The parameters of an operation or endpoint as code; what has a default comes last."""
    found = [f"{p.name}: {_type(made, p, types)}" for p in in_order(made)]
    if made.body is not None:
        found.append(f"body: {types.expression(made.body, '')}")
    for p in optional(made):
        text = _type(made, p, types)
        found.append(f"{p.name}: {text}{'' if text.endswith(' | None') else ' | None'} = None")
    return found


def _type(made: Made, parameter: Parameter, types: Types) -> str:
    return types.expression(parameter.kind, pascal(f"{made.name} {parameter.wire}"))


def app_text(facts: Facts, upstream: str, package: str, made: list[Made], types: Types) -> str:
    """The file `app.py`: one endpoint for each operation, as narrow as can be proven, and holes for the rest."""
    endpoints = "\n".join(_endpoint(facts, upstream, one, types) for one in made)
    used = " ".join([*(flat_signature(one, types) for one in made), upstream, "Bff"])
    own = {f"{package}.types": types.names, f"{package}.upstreams": {upstream}, "narrows": {"Bff"}}
    parts: list[Code] = [literal(facts.bff)]
    said = {"version": "1.0.0", "owner": facts.owner, "purpose": facts.purpose, "exposure": "internal",
            "sensitivity": "internal", "importance": "low", "review_by": facts.review_by}  # fmt: skip
    parts += [_fact(name, text) for name, text in said.items()]
    bff = "\n".join(["bff = Bff(", *(laid(part, 4, "", ",") for part in parts), ")"])
    title = words(facts.title, 60)
    return f'"""{title}: endpoints over {upstream}."""\n\n{imports_of(used, own)}{bff}\n\n{endpoints}'


def _fact(name: str, text: str) -> Code:
    quoted = literal(text)
    return f"{name}={quoted}" if len(quoted) < 100 else Group(f"{name}=(", (Words(text),), ")")


def _endpoint(facts: Facts, upstream: str, made: Made, types: Types) -> str:
    path = [p for p in in_order(made) if p.place == "path"]
    parts: list[Code] = [Words(endpoint_path(upstream.lower(), made)), *_method(made), 'roles={"member"}']
    if path:
        parts.append(f"within={literal(domain_of(path[0]) + ':{' + path[0].name + '}')}")
    parts.append(f"scope={literal(scope_of(facts, made))}")
    parts.append(f"uses=[{upstream}.{made.name}]")
    parts.append('rate="30/minute"' if made.kind == "read" else 'rate="5/minute"')
    if made.kind == "write":
        parts.append('commit="receipt"')
    if open_ids := unbound(made, types.models):
        listed = ", ".join(f"`{one}`" for one in open_ids[:8])
        said = f"nothing binds {listed} yet: use given or inside, or say in unbound why this is safe"
        parts.append(named("holes", holes([said])))
    decorator = "\n".join([f"@bff.{made.kind}(", *(laid(part, 4, "", ",") for part in parts), ")"])
    answer = answered(made, types)
    function = laid(Group(f"async def {made.name}(", tuple(parameters(made, types)), ")"), 0, "", f" -> {answer}:")
    given = [p.name for p in in_order(made)] + (["body"] if made.body is not None else [])
    used = call(f"{upstream}.{made.name}", *given, *(f"{p.name}={p.name}" for p in optional(made)))
    before = "await " if isinstance(made.answer, Nothing) else "return await "
    summary = words(made.summary, 80) or f"{made.method} {words(made.path, 60)}"
    return f'\n{decorator}\n{function}\n    """{summary}"""\n{laid(used, 4, before)}\n'


def endpoint_path(key: str, made: Made) -> str:
    """The path of an endpoint: that of the operation below the upstream's name; one that is a hole is told apart."""
    return f"/{key}{made.path}{'/' + made.name if made.path == PATH_LEFT else ''}"


def _method(made: Made) -> list[Code]:
    return [f"method={literal(made.method)}"] if made.kind == "write" and made.method != "POST" else []


def domain_of(parameter: Parameter) -> str:
    """The kind of the domain that a value names: `team_id` names a team."""
    return parameter.name.strip("_").removesuffix("_id") or parameter.name


def scope_of(facts: Facts, made: Made) -> str:
    """What the caller's token must hold."""
    return f"{facts.name.replace('_', '-')}:{made.kind}"


def unbound(made: Made, models: Mapping[str, Model]) -> list[str]:
    """The object ids that nothing binds: all of the path but the first, and those of query and body."""
    path = [p.name for p in in_order(made) if p.place == "path"][1:]
    query = [p.name for p in (*in_order(made), *optional(made)) if p.place == "query" and _is_id(p.kind)]
    body = sorted(_ids(made.body, models, "", set())) if made.body is not None else []
    return [*path, *query, *body]


def _is_id(kind: Kind) -> bool:
    return bool(_ids(kind, {}, "id", set()))


def _ids(kind: Kind, models: Mapping[str, Model], path: str, seen: set[str]) -> set[str]:
    match kind:
        case Marked():
            return {path}
        case Maybe(inner=inner) | Loose(inner=inner):
            return _ids(inner, models, path, seen)
        case Many(item=inner):
            return _ids(inner, models, path + "[]", seen)
        case Keyed(value=inner):
            return _ids(inner, models, path + "{}", seen)
        case Either(members=members):
            return set().union(*(_ids(member, models, path, seen) for member in members))
        case Ref(name=name) if name not in seen:
            joint = f"{path}." if path else ""
            fields = models[name].fields
            return set().union(*(_ids(f.kind, models, f"{joint}{f.wire}", {*seen, name}) for f in fields))
    return set()


def holes_of(made: list[Made], models: Mapping[str, Model]) -> list[Remark]:
    """Every hole that is left in operations and classes, each once."""
    found = [remark for one in made for remark in one.holes]
    for one in made:
        found += [remark for p in one.parameters for remark in told(p.kind)]
        found += told(one.answer)
    found += [remark for model in models.values() for field in model.fields for remark in told(field.kind)]
    return list(dict.fromkeys(found))
