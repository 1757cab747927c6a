"""Words can be read: the colours of static/css/app.css against each other, by the WCAG 2.2 formula, in both themes."""

import re
from pathlib import Path

import pytest
from django.conf import settings

CSS = Path(settings.ROOT_DIR, "static/css/app.css").read_text(encoding="utf-8")
TOKENS = {
    name: (light, dark)
    for name, light, dark in re.findall(r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", CSS)
}
TEXT = 4.5
SHAPE = 3.0

PAIRS = [
    *[(ink, ground, TEXT) for ink in ("ink", "muted") for ground in ("paper", "surface", "surface-2")],
    *[(ink, ground, TEXT) for ink in ("accent", "accent-strong") for ground in ("paper", "surface", "accent-tint")],
    ("accent", "surface-2", TEXT),
    ("ink", "accent-tint", TEXT),
    ("muted", "accent-tint", TEXT),
    ("on-accent", "accent", TEXT),
    ("on-accent", "accent-strong", TEXT),
    ("on-danger", "danger", TEXT),
    ("danger", "paper", TEXT),
    ("danger", "surface", TEXT),
    ("paper", "ink", TEXT),
    *[(f"label-{n}-fg", f"label-{n}-bg", TEXT) for n in range(12)],
    *[(word, f"{word}-tint", TEXT) for word in ("right", "wrong", "unsure")],
    *[(word, ground, TEXT) for word in ("right", "wrong", "unsure") for ground in ("paper", "surface")],
    *[("ink", f"{word}-tint", TEXT) for word in ("right", "wrong", "unsure")],
    *[("line-strong", ground, SHAPE) for ground in ("paper", "surface")],
    *[("accent", ground, SHAPE) for ground in ("paper", "surface", "surface-2")],
    *[(f"label-{n}-fg", ground, SHAPE) for n in range(12) for ground in ("paper", "surface")],
]


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_the_formula_knows_black_on_white() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("front", "ground", "least"), PAIRS)
def test_it_can_be_read(front: str, ground: str, least: float, theme: str) -> None:
    at = 0 if theme == "light" else 1
    measured = contrast(TOKENS[front][at], TOKENS[ground][at])
    assert measured >= least, f"{front} on {ground} in {theme}: {measured:.2f}"


def test_every_colour_has_a_light_and_a_dark_value() -> None:
    sheets = Path(settings.ROOT_DIR, "static/css").glob("*.css")
    rules = [(sheet.name, line.strip()) for sheet in sheets for line in sheet.read_text(encoding="utf-8").splitlines()]
    bare = [rule for rule in rules if re.search(r"#[0-9a-fA-F]{3,8}\b", rule[1]) and "light-dark(" not in rule[1]]
    assert bare == [("figures.css", "stroke: #fff;")], "a colour outside the tokens (the one here is a mask)"
