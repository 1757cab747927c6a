"""Recipes in words, for those who open the details."""

from collections.abc import Mapping

READERS = {
    "minilm": "what the text means (MiniLM)",
    "lexical": "patterns of words and characters",
    "effnet-lite0": "what the picture shows (EfficientNet-Lite0)",
    "pixels": "colours, edges and textures",
    "table": "the columns of the row",
    "names": "likeness to the labels’ names and descriptions",
    "rules": "your keyword rules",
}
HEADS = {
    "logistic": "logistic regression",
    "ridge": "ridge regression",
    "prototypes": "nearest average sample",
    "neighbours": "nearest neighbours",
    "forest": "a random forest",
    "trees": "extremely randomised trees",
    "boosting": "boosted trees",
}


def recipe_words(recipe: Mapping[str, object]) -> list[str]:
    """Say what a model reads and decides by, the part that counts most first."""
    members = recipe.get("members", [{"recipe": recipe, "weight": 1.0}])
    if not recipe or not isinstance(members, list):
        return []
    heaviest_first = sorted(members, key=lambda member: -float(member.get("weight", 0.0)))
    return [
        _words(member.get("recipe", {}), float(member.get("weight", 0.0)), len(members)) for member in heaviest_first
    ]


def _words(recipe: Mapping[str, object], weight: float, n_members: int) -> str:
    reader, head = str(recipe.get("backbone", "")), str(recipe.get("head", ""))
    settings = recipe.get("settings")
    values = ", ".join(f"{name} = {value}" for name, value in settings.items()) if isinstance(settings, Mapping) else ""
    words = f"{READERS.get(reader, reader)}, decided by {HEADS.get(head, head)}{f' ({values})' if values else ''}"
    return words if n_members == 1 else f"{100 * weight:.0f}%: {words}"
