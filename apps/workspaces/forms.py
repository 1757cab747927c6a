"""The forms of set-up, invitations, members, keys and one's own profile."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from django import forms
from django.contrib.auth.password_validation import validate_password

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput
from apps.workspaces.roles import Role
from apps.workspaces.scopes import Scope
from apps.workspaces.services.webhooks import WANTED
from apps.workspaces.webhook_words import WORDS

T = TypeVar("T")
_FIRST = {"autofocus": True}
_NEW_PASSWORD = {"autocomplete": "new-password", "minlength": "10"}


class SetUpForm(forms.Form):
    """The first person and their workspace."""

    name = forms.CharField(label="Your name", max_length=120, widget=forms.TextInput(_FIRST | {"autocomplete": "name"}))
    email = forms.EmailField(
        label="E-mail",
        max_length=254,
        help_text="You sign in with it.",
        widget=forms.EmailInput({"autocomplete": "username"}),
    )
    password = forms.CharField(
        label="Password", help_text="At least 10 characters.", strip=False, widget=forms.PasswordInput(_NEW_PASSWORD)
    )
    workspace_name = forms.CharField(
        label="Workspace", max_length=80, help_text="What your team sees together, such as “Support desk”."
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        _check_password(self, "password", User(email=cleaned.get("email", ""), name=cleaned.get("name", "")))
        return cleaned


class AcceptInvitationForm(forms.Form):
    """A new person; the e-mail address is the invitation's."""

    name = forms.CharField(label="Your name", max_length=120, widget=forms.TextInput(_FIRST | {"autocomplete": "name"}))
    password = forms.CharField(
        label="Password", help_text="At least 10 characters.", strip=False, widget=forms.PasswordInput(_NEW_PASSWORD)
    )

    def __init__(self, data: Any = None, *, email: str) -> None:
        super().__init__(data)
        self.email = email

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        _check_password(self, "password", User(email=self.email, name=cleaned.get("name", "")))
        return cleaned


class ProfileForm(forms.Form):
    name = forms.CharField(label="Your name", max_length=120, widget=forms.TextInput({"autocomplete": "name"}))


class ChangePasswordForm(forms.Form):
    """A new password; the old one is asked for unless the person just came by a one-time link."""

    old_password = forms.CharField(
        label="Password now", strip=False, widget=forms.PasswordInput({"autocomplete": "current-password"})
    )
    new_password = forms.CharField(
        label="New password",
        help_text="At least 10 characters. Your other devices are signed out.",
        strip=False,
        widget=forms.PasswordInput(_NEW_PASSWORD),
    )

    def __init__(self, data: Any = None, *, person: User, asks_for_old: bool) -> None:
        super().__init__(data)
        self.person = person
        if not asks_for_old:
            del self.fields["old_password"]

    def clean_old_password(self) -> str:
        old: str = self.cleaned_data["old_password"]
        if not self.person.check_password(old):
            raise forms.ValidationError("This is not your password.")
        return old

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        _check_password(self, "new_password", self.person)
        return cleaned


class InviteForm(forms.Form):
    email = forms.EmailField(label="E-mail", max_length=254)
    role = forms.ChoiceField(label="Role", initial=Role.LABELER)

    def __init__(self, data: Any = None, *, roles: list[Role]) -> None:
        super().__init__(data)
        self.roles = roles
        role = self.fields["role"]
        assert isinstance(role, forms.ChoiceField)
        role.choices = [(choice.value, choice.label) for choice in roles]


class RoleForm(forms.Form):
    role = forms.ChoiceField(choices=Role.choices)


class WorkspaceForm(forms.Form):
    name = forms.CharField(
        label="Name",
        max_length=80,
        help_text="What your team calls it, such as “Support desk”.",
        widget=forms.TextInput(_FIRST),
    )


class KeyForm(forms.Form):
    """A key: what for, what it may do, with which function, how long."""

    name = forms.CharField(label="Name", max_length=80, help_text="The program that will use it, such as “Help desk”.")
    scopes = forms.MultipleChoiceField(
        label="It may", choices=Scope.choices, initial=[Scope.INVOKE], widget=forms.CheckboxSelectMultiple
    )
    only_function = forms.ChoiceField(label="With", required=False)
    days = forms.TypedChoiceField(
        label="It works",
        choices=[("", "until it is revoked"), ("30", "for 30 days"), ("90", "for 90 days"), ("365", "for a year")],
        coerce=int,
        empty_value=None,
        required=False,
    )

    def __init__(self, data: Any = None, *, functions: Mapping[str, str]) -> None:
        super().__init__(data)
        only = self.fields["only_function"]
        assert isinstance(only, forms.ChoiceField)
        only.choices = [("", "all functions"), *functions.items()]


class RotateForm(forms.Form):
    """How long the old secret works on, so that programs can be given the new one in peace."""

    hours = forms.TypedChoiceField(
        label="The old secret works",
        choices=[("0", "no more"), ("1", "for an hour"), ("24", "for a day"), ("168", "for a week")],
        initial="24",
        coerce=int,
    )


class WebhookForm(forms.Form):
    """Where messages go, what of, and of which function."""

    url = forms.CharField(
        label="Address",
        max_length=2000,
        help_text="Where your program listens, such as https://example.com/hundredfold. Messages come there as POST.",
        widget=forms.URLInput({"autocomplete": "off", "spellcheck": "false"}),
    )
    everything = forms.BooleanField(
        label="Anything happens, also what later versions tell of", required=False, initial=True
    )
    kinds = forms.MultipleChoiceField(
        label="It hears when",
        choices=[(kind.value, WORDS[kind]) for kind in WANTED],
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    only_function = forms.ChoiceField(label="Of the function", required=False)

    def __init__(self, data: Any = None, *, functions: Mapping[str, str], initial: Any = None) -> None:
        super().__init__(data, initial=initial)
        only = self.fields["only_function"]
        assert isinstance(only, forms.ChoiceField)
        only.choices = [("", "all functions"), *functions.items()]

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = self.cleaned_data
        if not said.get("everything") and "kinds" in said and not said["kinds"]:
            self.add_error("kinds", "Choose when it hears from us.")
        return said

    def as_said(self) -> dict[str, Any]:
        """Return what the services take: no kinds mean all."""
        said = dict(self.cleaned_data)
        return said | {"kinds": []} if said.pop("everything") else said


def submit(form: forms.Form, service: Callable[[], T]) -> T | None:
    """Call a service with what a valid form holds; what it refuses is said in the form, and None returned."""
    if not form.is_valid():
        return None
    try:
        return service()
    except (Conflict, InvalidInput) as error:
        form.add_error(None, error.message)
        return None


def _check_password(form: forms.Form, field: str, person: User) -> None:
    password = form.cleaned_data.get(field)
    if password:
        try:
            validate_password(password, person)
        except forms.ValidationError as error:
            form.add_error(field, error)
