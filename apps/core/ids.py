"""Public ids: `function_` and sixteen lower-case letters and digits. Database keys never leave the process."""

import secrets
import string
from functools import partial
from typing import TYPE_CHECKING

from django.db import models

from apps.core.texts import storable

ALPHABET = string.ascii_lowercase + string.digits
LENGTH = 16


def new_id(kind: str) -> str:
    """Return a fresh id such as ``sample_k3j9…``; 36^16 values, so a clash is left to the unique index."""
    return f"{kind}_{''.join(secrets.choice(ALPHABET) for _ in range(LENGTH))}"


def with_prefix(kind: str, value: str) -> str:
    """Accept an id with or without its kind in front, as existing clients send both."""
    return value if value.startswith(f"{kind}_") else f"{kind}_{value}"


if TYPE_CHECKING:
    _CharField = models.CharField[str, str]
else:
    _CharField = models.CharField


class PublicIdField(_CharField):
    """A unique public id of one kind, made on creation and never editable."""

    def __init__(self, kind: str, **options: object) -> None:
        self.kind = kind
        super().__init__(max_length=40, unique=True, editable=False, default=partial(new_id, kind))

    def get_prep_value(self, value: object) -> object:
        """Let whatever is asked for be an id that no row has, not one that PostgreSQL refuses to look up."""
        prepared = super().get_prep_value(value)
        return storable(prepared) if isinstance(prepared, str) else prepared

    def deconstruct(self) -> tuple[str, str, list[str], dict[str, object]]:
        name, path, _args, _options = super().deconstruct()
        return name, path, [self.kind], {}
