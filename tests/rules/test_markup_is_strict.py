"""What the content security policy would block, and what would reach out of the machine, is not written at all."""

import re
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.ROOT_DIR)
TEMPLATES = sorted(ROOT.glob("templates/**/*.html"))
SCRIPTS = sorted(ROOT.glob("static/js/**/*.js"))
SHEETS = sorted(ROOT.glob("static/css/**/*.css"))
BLOCKED = {
    "inline style": r"\sstyle\s*=",
    "style element": r"<style\b",
    "inline handler": r"\son[a-z]+\s*=\s*[\"']",
    "inline script": r"<script(?![^>]*\bsrc=)",
    "htmx evaluation": r"hx-on|js:|hx-trigger=\"[^\"]*\[",
    "javascript address": r"href\s*=\s*[\"']javascript:",
}
OUTSIDE = re.compile(r"(?<![\w/])(https?:)?//(?!www\.w3\.org/)[a-z0-9-]+\.[a-z]{2,}", re.IGNORECASE)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", TEMPLATES, ids=name)
@pytest.mark.parametrize("what", BLOCKED)
def test_templates_hold_nothing_the_policy_blocks(path: Path, what: str) -> None:
    found = re.search(BLOCKED[what], path.read_text(encoding="utf-8"))
    assert found is None, f"{what}: {found.group() if found else ''}"


@pytest.mark.parametrize("path", TEMPLATES, ids=name)
def test_every_post_form_carries_its_token(path: Path) -> None:
    forms = re.findall(r"<form\b[^>]*method=\"post\".*?</form>", path.read_text(encoding="utf-8"), re.DOTALL)
    assert all("{% csrf_token %}" in form for form in forms)


@pytest.mark.parametrize("path", SCRIPTS, ids=name)
def test_scripts_evaluate_nothing_and_style_nothing_inline(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    # What the server rendered is escaped; a template parses it without running anything.
    assert not re.search(
        r"\beval\(|new Function\(|(?<!template)\.innerHTML|\.outerHTML|insertAdjacentHTML|document\.write", text
    )
    assert not re.search(r"setAttribute\(\s*[\"']style", text)


@pytest.mark.parametrize("path", [*TEMPLATES, *SCRIPTS, *SHEETS], ids=name)
def test_nothing_is_fetched_from_elsewhere(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if OUTSIDE.search(line)] == []
