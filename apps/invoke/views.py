"""The call page: address, snippets, keys, and a box to try an input."""

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from apps.core.errors import InvalidInput, TooLarge
from apps.functions.models import Field, FieldType, Function, InputKind
from apps.invoke import selectors, services
from apps.invoke.forms import NewKeyForm, TryPictureForm, TryTextForm
from apps.invoke.snippets import KEY_PLACEHOLDER, snippets
from apps.training.selectors import training_state
from apps.training.words import confidence_word
from apps.workspaces.access import AppHttpRequest, requires
from apps.workspaces.roles import Action
from apps.workspaces.services import create_key

N_ALTERNATIVES = 4


@require_GET
@requires(Action.VIEW)
def call_page(request: AppHttpRequest, function_id: str) -> HttpResponse:
    function = request.access.fetch(Function, function_id)
    status = training_state(function)
    if status.live_model is not None:
        names = services.backbones_read_by(status.live_model)
        services.warm_up(lambda: names)
    url = selectors.invoke_url(request, function)
    context = {
        "function": function,
        "tab": "call",
        "training": status,
        "invoke_url": url,
        "snippets": snippets(function, url),
        "key_placeholder": KEY_PLACEHOLDER,
        "max_megabytes": settings.INVOKE_MAX_BYTES // 1024**2,
        "keys": selectors.usable_keys(function.workspace),
        "form": NewKeyForm(),
        "fields": _typed_fields(function),
        "can_answer": services.load_answerer(function) is not None,
    }
    return render(request, "invoke/call_page.html", context)


@require_POST
@requires(Action.MANAGE_KEYS)
def make_key(request: AppHttpRequest, function_id: str) -> HttpResponse:
    """The only answer that ever holds the key's text."""
    function = request.access.fetch(Function, function_id)
    form, secret = NewKeyForm(request.POST), ""
    if form.is_valid():
        _key, secret = create_key(
            workspace=function.workspace, owner=request.user, name=form.cleaned_data["name"], actions=[Action.INVOKE]
        )
        form = NewKeyForm()
    context = {
        "function": function,
        "keys": selectors.usable_keys(function.workspace),
        "form": form,
        "secret": secret,
        "key_placeholder": KEY_PLACEHOLDER,
    }
    response = render(request, "invoke/call_page.html#keys", context, status=422 if form.errors else 200)
    response["Cache-Control"] = "no-store"
    return response


@require_POST
@requires(Action.INVOKE)
def try_it(request: AppHttpRequest, function_id: str) -> HttpResponse:
    """Answer in place; what is wrong with the input is said there too."""
    function = request.access.fetch(Function, function_id)
    try:
        answer = services.answer_now(function=function, data=_input(request, function))
    except (InvalidInput, TooLarge) as error:
        return render(request, "invoke/call_page.html#answer", {"problem": error.message}, status=422)
    return render(request, "invoke/call_page.html#answer", _words_of(answer))


def _typed_fields(function: Function) -> list[Field]:
    """The fields of a row that a person can type in; empty for functions of texts and pictures."""
    return list(function.fields.filter(is_used=True).exclude(type=FieldType.IMAGE))


def _words_of(answer: services.Answer) -> dict[str, object]:
    """What was said, how surely, and what else it could be."""
    said = answer.guesses[:1] if answer.tags is None else answer.tags
    others = [guess for guess in answer.guesses if guess not in said]
    return {
        "answer": answer,
        "said": [(guess, confidence_word(guess.confidence)) for guess in said],
        "others": others[:N_ALTERNATIVES],
    }


def _input(request: AppHttpRequest, function: Function) -> services.Data:
    if function.input_kind == InputKind.TABLE:
        values = {field.public_id: request.POST.get(field.public_id, "") for field in _typed_fields(function)}
        return {key: value for key, value in values.items() if value.strip()}
    is_text = function.input_kind == InputKind.TEXT
    form = TryTextForm(request.POST) if is_text else TryPictureForm(request.POST, request.FILES)
    if not form.is_valid():
        raise InvalidInput(str(next(iter(form.errors.values()))[0]))
    if is_text:
        return str(form.cleaned_data["text"])
    picture = form.cleaned_data["picture"]
    if picture.size > settings.INVOKE_MAX_BYTES:
        raise TooLarge(f"The picture is larger than {settings.INVOKE_MAX_BYTES // 1024**2} MB. Make it smaller first.")
    return bytes(picture.read())
