"""Recipes in words, for those who open the details."""

from collections.abc import Mapping

from apps.engine.types import ADAPTED

READERS = {
    "minilm": "what the text means (MiniLM)",
    "lexical": "words and pieces of words",
    "effnet-lite0": "what the picture shows (EfficientNet-Lite0)",
    "pixels": "colours, edges and textures",
    "table": "the columns of the row",
    "rules": "your keyword rules",
}
NAMES = "names:"
ADAPTED_TO = {"minilm": "MiniLM", "effnet-lite0": "EfficientNet-Lite0"}
HEADS = {
    "logistic": "logistic regression",
    "discriminant": "linear discriminants",
    "prototypes": "nearest average sample",
    "as_read": "the nearest one",
    "forest": "a random forest",
    "extra": "extremely randomised trees",
    "boosted": "boosted trees",
}


def recipe_words(recipe: Mapping[str, object], *, n_taught: int = 0) -> list[str]:
    """Say what a model reads and decides by, the part that counts most first.

    `n_taught` labels were learned from by the layers of its own that it reads with, if there are any.
    """
    members = recipe.get("members", [{"recipe": recipe, "weight": 1.0}])
    if not recipe or not isinstance(members, list):
        return []
    heaviest = sorted(members, key=lambda member: -float(member.get("weight", 0.0)))
    return [
        _words(member.get("recipe", {}), float(member.get("weight", 0.0)), len(members), n_taught)
        for member in heaviest
    ]


def _words(recipe: Mapping[str, object], weight: float, n_members: int, n_taught: int) -> str:
    head = str(recipe.get("head", ""))
    settings = recipe.get("settings")
    values = ", ".join(f"{name} = {value}" for name, value in settings.items()) if isinstance(settings, Mapping) else ""
    read = _read(str(recipe.get("backbone", "")), n_taught)
    words = f"{read}, decided by {HEADS.get(head, head)}{f' ({values})' if values else ''}"
    return words if n_members == 1 else f"{100 * weight:.0f}%: {words}"


def _read(reader: str, n_taught: int) -> str:
    """Name what is read; readers side by side are joined by a plus."""
    return " and ".join(_read_part(part, n_taught) for part in reader.split("+"))


def _read_part(part: str, n_taught: int) -> str:
    if part.startswith(NAMES):
        return "likeness to the labels’ names"
    if part.startswith(ADAPTED):
        base = part.removeprefix(ADAPTED)
        labels = f"{n_taught:,} labels" if n_taught else "labels"
        return f"its own top layers of {ADAPTED_TO.get(base, base)}, taught with your {labels}"
    return READERS.get(part, part)
