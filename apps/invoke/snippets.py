"""Ready-made programs that call a function, with the function's own address and one of its own samples."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TypeAlias

from apps.functions.models import FieldType, Function, InputKind, OutputKind

KEY_PLACEHOLDER = "YOUR_KEY"
EXAMPLE_TEXT = "Your text here"
MAX_EXAMPLE_CHARS = 80
MAX_EXAMPLE_FIELDS = 30
Example: TypeAlias = str | dict[str, object]


@dataclass(frozen=True)
class Snippet:
    """One program; `id` names its element and its tab."""

    id: str
    title: str
    text: str


def snippets(function: Function, url: str) -> list[Snippet]:
    """Return the programs, the one that needs nothing installed first."""
    if function.input_kind == InputKind.IMAGE:
        programs = _curl_picture(url), _python_picture(function, url), _javascript_picture(function, url)
    else:
        data = example_text(function) if function.input_kind == InputKind.TEXT else example_row(function)
        programs = _curl_json(url, data), _python_json(function, url, data), _javascript_json(function, url, data)
    names = ("curl", "curl"), ("python", "Python"), ("javascript", "JavaScript")
    return [Snippet(key, title, program) for (key, title), program in zip(names, programs, strict=True)]


def example_text(function: Function) -> str:
    """Return a short text of the function's own, on one line."""
    newest = function.samples.order_by("-id").values_list("text", flat=True).first() or EXAMPLE_TEXT
    line = " ".join("".join(character if character.isprintable() else " " for character in newest).split())
    return line if len(line) <= MAX_EXAMPLE_CHARS else f"{line[:MAX_EXAMPLE_CHARS].rsplit(' ', 1)[0]} …"


def example_row(function: Function) -> Example:
    """Return the newest row by the names of its fields, long texts cut; pictures are left out."""
    fields = list(function.fields.filter(is_used=True).exclude(type=FieldType.IMAGE)[:MAX_EXAMPLE_FIELDS])
    row = function.samples.order_by("-id").values_list("row", flat=True).first() or {}
    values = {field.name: row.get(field.public_id, "") for field in fields}
    return {name: value[:MAX_EXAMPLE_CHARS] if isinstance(value, str) else value for name, value in values.items()}


def _curl_json(url: str, data: Example) -> str:
    # In the shell's single quotes only a single quote is special; JSON can write it in another way.
    body = json.dumps({"data": data}, ensure_ascii=False).replace("'", "\\u0027")
    return (
        f"curl -X POST '{url}' \\\n"
        f"  -H 'Authorization: Bearer {KEY_PLACEHOLDER}' \\\n"
        f"  -H 'Content-Type: application/json' \\\n"
        f"  -d '{body}'"
    )


def _curl_picture(url: str) -> str:
    return f"curl -X POST '{url}' \\\n  -H 'Authorization: Bearer {KEY_PLACEHOLDER}' \\\n  -F 'data=@picture.jpg'"


def _python_json(function: Function, url: str, data: Example) -> str:
    # JSON of strings and numbers is Python, too.
    return f"""import requests  # pip install requests

response = requests.post(
    "{url}",
    headers={{"Authorization": "Bearer {KEY_PLACEHOLDER}"}},
    json={{"data": {json.dumps(data, ensure_ascii=False)}}},
    timeout=10,
)
answer = response.json()
{_python_print(function)}"""


def _python_picture(function: Function, url: str) -> str:
    return f"""import requests  # pip install requests

with open("picture.jpg", "rb") as picture:
    response = requests.post(
        "{url}",
        headers={{"Authorization": "Bearer {KEY_PLACEHOLDER}"}},
        files={{"data": picture}},
        timeout=10,
    )
answer = response.json()
{_python_print(function)}"""


def _javascript_json(function: Function, url: str, data: Example) -> str:
    return f"""const response = await fetch("{url}", {{
  method: "POST",
  headers: {{ Authorization: "Bearer {KEY_PLACEHOLDER}", "Content-Type": "application/json" }},
  body: JSON.stringify({{ data: {json.dumps(data, ensure_ascii=False)} }}),
}});
const answer = await response.json();
{_javascript_print(function)}"""


def _javascript_picture(function: Function, url: str) -> str:
    return f"""import {{ readFile }} from "node:fs/promises";

const form = new FormData();
form.append("data", new Blob([await readFile("picture.jpg")]), "picture.jpg");
const response = await fetch("{url}", {{
  method: "POST",
  headers: {{ Authorization: "Bearer {KEY_PLACEHOLDER}" }},
  body: form,
}});
const answer = await response.json();
{_javascript_print(function)}"""


def _python_print(function: Function) -> str:
    if function.searches:
        return 'for sample in answer:\n    print(sample["distance"], sample["sampleId"], sample["data"])'
    if function.output_kind != OutputKind.TAGS:
        return 'print(answer["labelName"], answer["confidence"])'
    return 'for tag in answer["tags"]:\n    print(tag["labelName"], tag["confidence"])'


def _javascript_print(function: Function) -> str:
    if function.searches:
        return "for (const sample of answer) console.log(sample.distance, sample.sampleId, sample.data);"
    if function.output_kind != OutputKind.TAGS:
        return "console.log(answer.labelName, answer.confidence);"
    return "for (const tag of answer.tags) console.log(tag.labelName, tag.confidence);"
