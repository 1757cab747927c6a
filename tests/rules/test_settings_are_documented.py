"""Every setting the code reads is in the README and in .env.example, and these name none that does not exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
READ = re.compile(r"\benv\.(?:text|flag|integer|words)\(\s*\"([A-Z_]+)\"")
ASKED = re.compile(r"(?:environ\.get|getenv)\(.*HUNDREDFOLD_|environ\[.HUNDREDFOLD_\w+.\](?! = )")
NAMED = re.compile(r"\bHUNDREDFOLD_([A-Z_]+[A-Z])\b")
DESCRIBED = re.compile(r"^(?:\| `HUNDREDFOLD_([A-Z_]+)`|HUNDREDFOLD_([A-Z_]+)=)", re.MULTILINE)


def sources() -> list[Path]:
    return [*(ROOT / "config").rglob("*.py"), *(ROOT / "apps").rglob("*.py")]


def settings_read() -> set[str]:
    return {name for source in sources() for name in READ.findall(source.read_text(encoding="utf-8"))}


def settings_named(document: str) -> set[str]:
    return set(NAMED.findall((ROOT / document).read_text(encoding="utf-8")))


@pytest.mark.parametrize("document", ["README.md", ".env.example"])
def test_every_setting_is_documented_and_no_other(document: str) -> None:
    assert settings_named(document) == settings_read()


@pytest.mark.parametrize("document", ["README.md", ".env.example"])
def test_no_setting_is_described_twice(document: str) -> None:
    found = DESCRIBED.findall((ROOT / document).read_text(encoding="utf-8"))
    assert len(found) > 10
    assert len(found) == len(set(found))


def test_settings_are_read_through_the_typed_readers_alone() -> None:
    """Nothing else asks the environment for them, so nothing escapes the test above."""
    assert not [str(source) for source in sources() if ASKED.search(source.read_text(encoding="utf-8"))]
