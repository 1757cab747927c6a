"""The OpenAPI document as a page shows it: operations by topic, with their fields flattened and ready-made programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from apps.api.description import first_job
from apps.api.description.schema import document
from apps.workspaces import webhook_words
from apps.workspaces.scopes import Scope

Node = Mapping[str, Any]
MAX_DEPTH = 4
FORM = "multipart/form-data"
KEY_PLACEHOLDER = "YOUR_KEY"
_KINDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "object",
}


@dataclass(frozen=True)
class FieldLine:
    """One value that travels: `path` says where in the body it stands, `words` what it may be."""

    path: str
    words: str
    is_required: bool
    description: str


@dataclass(frozen=True)
class Program:
    """An example to copy; `id` names its element."""

    id: str
    title: str
    text: str


@dataclass(frozen=True)
class Operation:
    """One method of one address."""

    id: str
    method: str
    path: str
    summary: str
    description: str
    scope: str
    scope_label: str
    parameters: tuple[FieldLine, ...]
    body: tuple[FieldLine, ...]
    form: tuple[FieldLine, ...]
    media_types: tuple[str, ...]
    reply: tuple[FieldLine, ...]
    requests: tuple[Program, ...]
    replies: tuple[Program, ...]
    errors: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Topic:
    """Operations that belong together."""

    id: str
    title: str
    description: str
    operations: tuple[Operation, ...]


@dataclass(frozen=True)
class Message:
    """What webhooks are told of one kind of thing that happened."""

    summary: str
    sentence: str
    program: Program


def topics(base_url: str) -> list[Topic]:
    """Return all there is, in the order of the topics; examples call `base_url`."""
    found: dict[str, list[Operation]] = {}
    for path, methods in document()["paths"].items():
        for method, node in methods.items():
            for tag in node.get("tags", ["Workspace"])[:1]:
                found.setdefault(tag, []).append(_operation(path, method, node, base_url))
    known = {tag["name"]: tag["description"] for tag in document().get("tags", [])}
    names = [*(name for name in known if name in found), *(name for name in found if name not in known)]
    return [Topic(_slug(name), name, known.get(name, ""), tuple(sorted(found[name], key=_is_late))) for name in names]


def _is_late(operation: Operation) -> bool:
    """What takes away is read about last."""
    return operation.method == "DELETE"


def messages() -> list[Message]:
    """Return what webhooks are told, an example of each kind."""
    return [
        Message(
            webhook_words.WORDS[kind],
            told.sentence,
            Program(f"told-{_slug(kind.value)}", kind.value, _json(webhook_words.message(kind))),
        )
        for kind, told in webhook_words.TOLD.items()
    ]


def beginning(base_url: str) -> dict[str, str]:
    """Return the first things to try: is the key right, a token for one, and a whole job."""
    key = f"curl '{base_url}/v1/functions' \\\n  -H 'Authorization: Bearer {KEY_PLACEHOLDER}'"
    token = (
        f"curl -X POST '{base_url}/connect/token' \\\n  -d 'grant_type=client_credentials' \\\n"
        "  -d 'client_id=YOUR_CLIENT_ID' \\\n  -d 'client_secret=YOUR_SECRET'"
    )
    return {"key": key, "token": token, "job": first_job.PYTHON.replace("BASE_URL", base_url)}


def _operation(path: str, method: str, node: Node, base_url: str) -> Operation:
    contents = node.get("requestBody", {}).get("content", {})
    body: Node = next(iter(contents.values()), {})
    good = node["responses"].get("200", {})
    reply: Node = next(iter(good.get("content", {}).values()), {})
    id_ = node["operationId"]
    return Operation(
        id=id_,
        method=method.upper(),
        path=path,
        summary=node.get("summary", id_),
        description=node.get("description", ""),
        scope=node.get("x-scope", ""),
        scope_label=Scope(node["x-scope"]).label if node.get("x-scope") else "",
        parameters=tuple(_parameter(one) for one in _in_order(node.get("parameters", []))),
        body=tuple(_lines(body.get("schema", {}))),
        form=tuple(_lines(contents.get(FORM, {}).get("schema", {}))),
        media_types=tuple(contents),
        reply=tuple(_lines(reply.get("schema", {}))),
        requests=tuple(_requests(id_, path, method, contents, base_url)),
        replies=tuple(_replies(id_, reply)),
        errors=tuple((f"{code} {HTTPStatus(int(code)).phrase}", one["description"]) for code, one in _failures(node)),
    )


def _failures(node: Node) -> list[tuple[str, Node]]:
    return sorted((code, one) for code, one in node["responses"].items() if code != "200")


def _in_order(parameters: Sequence[Node]) -> list[Node]:
    """Those of the address first, as they stand there; headers, the same everywhere, last."""
    return sorted(parameters, key=lambda one: ("path", "query", "header").index(one["in"]))


def _parameter(node: Node) -> FieldLine:
    where = {"path": "in the address", "query": "after the “?”", "header": "header"}[node["in"]]
    words = f"{where}, {_words(_resolved(node.get('schema', {})))}"
    return FieldLine(node["name"], words, bool(node.get("required")), node.get("description", ""))


def _lines(node: Node, path: str = "", depth: int = 0) -> Iterator[FieldLine]:
    node = _resolved(node)
    if depth > MAX_DEPTH:
        return
    if node.get("type") == "array":
        yield from _lines(node.get("items", {}), f"{path}[]", depth + 1)
        return
    for alternative in node.get("oneOf", []):
        yield from _lines(alternative, path, depth)
    required = set(node.get("required", []))
    for name, inner in node.get("properties", {}).items():
        full = f"{path}.{name}" if path else name
        described = inner.get("description", "") or _resolved(inner).get("description", "")
        yield FieldLine(full, _words(_resolved(inner)), name in required, described)
        yield from _lines(inner, full, depth + 1)


def _words(node: Node) -> str:
    """Say what a value may be, in a few plain words."""
    if node.get("enum"):
        return "one of " + ", ".join(str(value) for value in node["enum"] if value not in {None, ""})
    if alternatives := node.get("oneOf") or node.get("anyOf"):
        return " or ".join(dict.fromkeys(_words(_resolved(one)) for one in alternatives))
    if node.get("type") == "array":
        return f"list of {_words(_resolved(node.get('items', {})))}"
    words = _KINDS.get(str(node.get("type", "")), "anything")
    bounds = [f"{word} {node[name]}" for name, word in (("minimum", "from"), ("maximum", "to")) if name in node]
    return " ".join([words, *bounds])


def _resolved(node: Node) -> Node:
    """Follow references; what is said beside one counts too."""
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        target: Node = document()["components"]["schemas"][name]
        return _resolved(target)
    if len(node.get("allOf", [])) == 1:
        return {**_resolved(node["allOf"][0]), **{key: value for key, value in node.items() if key != "allOf"}}
    return node


def _requests(id_: str, path: str, method: str, contents: Mapping[str, Node], base_url: str) -> Iterator[Program]:
    shown = False
    for media_type, content in contents.items():
        for number, (title, value) in enumerate(_examples(content)):
            shown = True
            text = _curl(base_url + _spoken(path), method, media_type, value)
            yield Program(f"{id_}-request-{_slug(media_type)}-{number}", title, text)
    if not shown:
        yield Program(f"{id_}-request", "", _curl(base_url + _spoken(path), method, "", None))


def _replies(id_: str, content: Node) -> Iterator[Program]:
    for number, (title, value) in enumerate(_examples(content)):
        yield Program(f"{id_}-reply-{number}", title, _json(value))


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _examples(content: Node) -> Sequence[tuple[str, Any]]:
    return [(one.get("summary", name), one.get("value")) for name, one in content.get("examples", {}).items()]


def _spoken(path: str) -> str:
    """Say where an id goes in capitals: curl takes braces for patterns of its own."""
    return "/".join(part.strip("{}").upper() if part.startswith("{") else part for part in path.split("/"))


def _curl(url: str, method: str, media_type: str, value: Any) -> str:
    lines = [f"curl{'' if method == 'get' else f' -X {method.upper()}'} '{url}'"]
    if not url.endswith("/connect/token"):
        lines.append(f"-H 'Authorization: Bearer {KEY_PLACEHOLDER}'")
    if media_type == "application/json":
        # In the shell's single quotes only a single quote is special; JSON can write it in another way.
        body = json.dumps(value, indent=2, ensure_ascii=False).replace("'", "\\u0027").replace("\n", "\n  ")
        lines += ["-H 'Content-Type: application/json'", f"-d '{body}'"]
    elif media_type == FORM:
        parts = ((name, part) for name, given in dict(value or {}).items() for part in _each(given))
        lines += [f"-F '{name}={'@' if name == 'data' else ''}{part}'" for name, part in parts]
    elif media_type:
        lines += [f"-d '{name}={part}'" for name, part in dict(value or {}).items()]
    return " \\\n  ".join(lines)


def _each(given: object) -> Sequence[object]:
    return given if isinstance(given, list) else [given]


def _slug(words: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in words.lower())
