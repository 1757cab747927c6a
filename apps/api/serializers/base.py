"""How every body is read: names compare without case, unknown ones are ignored, null means "not given"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request


class WireSerializer(serializers.Serializer[Any]):
    """A JSON object as clients write it. Nested ones are read the same way."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            data = self._in_our_names(data)
        return super().to_internal_value(data)

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """Show what there is: what is absent is left out, never null."""
        shown: dict[str, Any] = super().to_representation(instance)
        return {name: value for name, value in shown.items() if value is not None and not self._is_absent(name, value)}

    def _is_absent(self, name: str, value: object) -> bool:
        return not self.fields[name].required and value in ("", {})

    def _in_our_names(self, data: Mapping[Any, Any]) -> dict[str, Any]:
        names = {str(name).lower(): str(name) for name in self.fields}
        ours = {names[str(name).lower()]: value for name, value in data.items() if str(name).lower() in names}
        return {name: value for name, value in ours.items() if value is not None or self._takes_null(name)}

    def _takes_null(self, name: str) -> bool:
        field = self.fields[name]
        return bool(field.required or field.allow_null)


def read(
    serializer: type[WireSerializer], request: Request, *, given: Mapping[str, object] | None = None, **options: Any
) -> dict[str, Any]:
    """Return what the body says, and `given` what other parts of the request do.

    Raises ValidationError, which names the field and what is wrong with it.
    """
    body = request.data
    if given and isinstance(body, Mapping):
        body = dict(body.items()) | dict(given)
    reader = serializer(data=body, **options)
    reader.is_valid(raise_exception=True)
    values: dict[str, Any] = dict(reader.validated_data)
    return values
