"""Recipes as data."""

import json

import pytest

from apps.engine.types import Recipe


def test_a_recipe_comes_back_from_json() -> None:
    recipe = Recipe("minilm", "logistic", {"C": 3.0, "kind": "a", "n": 2})
    assert Recipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe


def test_equal_recipes_have_equal_keys_whatever_the_order_of_settings() -> None:
    one, two = Recipe("a", "b", {"x": 1, "y": 2}), Recipe("a", "b", {"y": 2, "x": 1})
    assert one.key() == two.key()
    assert {one, two} == {one}
    assert one.key() != Recipe("a", "b", {"x": 1, "y": 3}).key()


@pytest.mark.parametrize(
    "data", [{}, {"backbone": "a", "head": "b"}, {"backbone": "a", "head": "b", "settings": {"C": [1]}}]
)
def test_what_is_not_a_recipe_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="recipe"):
        Recipe.from_json(data)
