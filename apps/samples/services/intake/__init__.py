"""Samples on their way in: checked, hashed, stored once.

A text or picture that is already there is not stored again; it only gives what the stored one lacks: a label, an id.
A label that a person or an earlier import gave is never overwritten from here. Parallel callers with the same content
all get the one sample.
"""

from apps.samples.services.intake.adding import (
    IMAGES_PER_TRANSACTION,
    ROWS_PER_TRANSACTION,
    TEXTS_PER_TRANSACTION,
    add_images,
    add_rows,
    add_texts,
)
from apps.samples.services.intake.items import INPUT_WORDS, KnownPicture, NewImage, NewRow, NewText
from apps.samples.services.intake.preparing import (
    Batch,
    prepare_known_pictures,
    prepare_rows,
    prepare_texts,
    prepared_images,
    require_input,
)
from apps.samples.services.intake.results import IntakeResult, ItemResult, Outcome
from apps.samples.services.intake.storing import take_in

__all__ = [
    "IMAGES_PER_TRANSACTION",
    "INPUT_WORDS",
    "ROWS_PER_TRANSACTION",
    "TEXTS_PER_TRANSACTION",
    "Batch",
    "IntakeResult",
    "ItemResult",
    "KnownPicture",
    "NewImage",
    "NewRow",
    "NewText",
    "Outcome",
    "add_images",
    "add_rows",
    "add_texts",
    "prepare_known_pictures",
    "prepare_rows",
    "prepare_texts",
    "prepared_images",
    "require_input",
    "take_in",
]
