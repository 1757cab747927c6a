"""Ready-made programs that call a function, with the function's own address and one of its own samples."""

from __future__ import annotations

import json
from dataclasses import dataclass

from apps.functions.models import Function, InputKind, OutputKind

KEY_PLACEHOLDER = "YOUR_KEY"
EXAMPLE_TEXT = "Your text here"
MAX_EXAMPLE_CHARS = 80


@dataclass(frozen=True)
class Snippet:
    """One program; `id` names its element and its tab."""

    id: str
    title: str
    text: str


def snippets(function: Function, url: str) -> list[Snippet]:
    """Return the programs, the one that needs nothing installed first."""
    is_text = function.input_kind == InputKind.TEXT
    example = example_text(function) if is_text else ""
    return [
        Snippet("curl", "curl", _curl_text(url, example) if is_text else _curl_picture(url)),
        Snippet(
            "python", "Python", _python_text(function, url, example) if is_text else _python_picture(function, url)
        ),
        Snippet(
            "javascript",
            "JavaScript",
            _javascript_text(function, url, example) if is_text else _javascript_picture(function, url),
        ),
    ]


def example_text(function: Function) -> str:
    """Return a short text of the function's own, on one line."""
    newest = function.samples.order_by("-id").values_list("text", flat=True).first() or EXAMPLE_TEXT
    line = " ".join("".join(character if character.isprintable() else " " for character in newest).split())
    return line if len(line) <= MAX_EXAMPLE_CHARS else f"{line[:MAX_EXAMPLE_CHARS].rsplit(' ', 1)[0]} …"


def _curl_text(url: str, example: str) -> str:
    # In the shell's single quotes only a single quote is special; JSON can write it in another way.
    body = json.dumps({"data": example}, ensure_ascii=False).replace("'", "\\u0027")
    return (
        f"curl -X POST '{url}' \\\n"
        f"  -H 'Authorization: Bearer {KEY_PLACEHOLDER}' \\\n"
        f"  -H 'Content-Type: application/json' \\\n"
        f"  -d '{body}'"
    )


def _curl_picture(url: str) -> str:
    return f"curl -X POST '{url}' \\\n  -H 'Authorization: Bearer {KEY_PLACEHOLDER}' \\\n  -F 'data=@picture.jpg'"


def _python_text(function: Function, url: str, example: str) -> str:
    # A JSON string is a Python string, too.
    return f"""import requests  # pip install requests

response = requests.post(
    "{url}",
    headers={{"Authorization": "Bearer {KEY_PLACEHOLDER}"}},
    json={{"data": {json.dumps(example, ensure_ascii=False)}}},
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


def _javascript_text(function: Function, url: str, example: str) -> str:
    return f"""const response = await fetch("{url}", {{
  method: "POST",
  headers: {{ Authorization: "Bearer {KEY_PLACEHOLDER}", "Content-Type": "application/json" }},
  body: JSON.stringify({{ data: {json.dumps(example, ensure_ascii=False)} }}),
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
    if function.output_kind != OutputKind.TAGS:
        return 'print(answer["labelName"], answer["confidence"])'
    return 'for tag in answer["tags"]:\n    print(tag["labelName"], tag["confidence"])'


def _javascript_print(function: Function) -> str:
    if function.output_kind != OutputKind.TAGS:
        return "console.log(answer.labelName, answer.confidence);"
    return "for (const tag of answer.tags) console.log(tag.labelName, tag.confidence);"
