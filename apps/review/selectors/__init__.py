"""What the function home shows: figures, and pages of samples with verdicts."""

from apps.review.selectors.expectation import Automation, Expectation, automation, expectation
from apps.review.selectors.figures import Basis, Figures, LabelLine
from apps.review.selectors.home import figures, n_labelled, n_unlabelled, row_of, samples_page
from apps.review.selectors.rows import Row, TagRow
from apps.review.selectors.samples import PER_PAGE, SamplesPage

__all__ = [
    "PER_PAGE",
    "Automation",
    "Basis",
    "Expectation",
    "Figures",
    "LabelLine",
    "Row",
    "SamplesPage",
    "TagRow",
    "automation",
    "expectation",
    "figures",
    "n_labelled",
    "n_unlabelled",
    "row_of",
    "samples_page",
]
