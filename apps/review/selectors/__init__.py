"""What the function home shows: figures, and pages of samples with verdicts."""

from apps.review.selectors.figures import Basis, Figures, LabelLine, figures
from apps.review.selectors.samples import PER_PAGE, Row, SamplesPage, n_labelled, n_unlabelled, row_of, samples_page

__all__ = [
    "PER_PAGE",
    "Basis",
    "Figures",
    "LabelLine",
    "Row",
    "SamplesPage",
    "figures",
    "n_labelled",
    "n_unlabelled",
    "row_of",
    "samples_page",
]
