"""All samples of a function at once: what is like what, what is nearly the same, and a map of them.

`vectors` makes embeddings short, `neighbours` compares them, `duplicates` finds pairs, `layout` draws the map, and
`process` does the last two where nobody waits for them.
"""

from apps.engine.survey.duplicates import Pairs, near_duplicates
from apps.engine.survey.layout import Layout, lay_out, place
from apps.engine.survey.neighbours import EXAMPLES, largest, likeness, likeness_to_any, likeness_to_some
from apps.engine.survey.process import Overview, look_over
from apps.engine.survey.vectors import FITTED_ON, Directions, Vectors, find_directions

__all__ = [
    "EXAMPLES",
    "FITTED_ON",
    "Directions",
    "Layout",
    "Overview",
    "Pairs",
    "Vectors",
    "find_directions",
    "largest",
    "lay_out",
    "likeness",
    "likeness_to_any",
    "likeness_to_some",
    "look_over",
    "near_duplicates",
    "place",
]
