"""Webhooks: which programs are told what happens here, and whether they heard."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.cache import patch_vary_headers
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from apps.core.errors import Conflict
from apps.workspaces import webhook_selectors, webhook_words
from apps.workspaces.access import AppHttpRequest, requires
from apps.workspaces.forms import WebhookForm, submit
from apps.workspaces.functions_by_name import names_of_functions
from apps.workspaces.models import Delivery, Webhook, Workspace
from apps.workspaces.roles import Action
from apps.workspaces.services import webhooks as services


@require_GET
@requires(Action.MANAGE_WEBHOOKS)
def webhooks_page(request: AppHttpRequest, workspace_id: str) -> HttpResponse:
    workspace = request.access.fetch(Workspace, workspace_id)
    form = WebhookForm(functions=names_of_functions(workspace))
    return _render_list(request, workspace, form)


@require_POST
@never_cache
@requires(Action.MANAGE_WEBHOOKS)
def make_webhook(request: AppHttpRequest, workspace_id: str) -> HttpResponse:
    """Answer with the webhook's page itself: the secret on it is shown this once."""
    workspace = request.access.fetch(Workspace, workspace_id)
    form = WebhookForm(request.POST, functions=names_of_functions(workspace))
    made = submit(form, lambda: services.create_webhook(workspace=workspace, actor=request.user, **form.as_said()))
    if made is None:
        return _render_list(request, workspace, form)
    webhook, secret = made
    return _render_one(request, webhook, _form_of(webhook), secret=secret)


@require_GET
@requires(Action.MANAGE_WEBHOOKS)
def webhook_page(request: AppHttpRequest, webhook_id: str) -> HttpResponse:
    """The page, or for htmx its log alone, which asks again while something waits."""
    webhook = request.access.fetch(Webhook, webhook_id)
    if not request.htmx:
        response = _render_one(request, webhook, _form_of(webhook))
    else:
        log = webhook_selectors.delivery_log(webhook=webhook, page_number=request.GET.get("page", "1"))
        response = render(request, "workspaces/_webhook_log.html", {"webhook": webhook, "log": log})
    patch_vary_headers(response, ["HX-Request"])
    return response


@require_POST
@requires(Action.MANAGE_WEBHOOKS)
def change_webhook(request: AppHttpRequest, webhook_id: str) -> HttpResponse:
    webhook = request.access.fetch(Webhook, webhook_id)
    form = WebhookForm(request.POST, functions=names_of_functions(webhook.workspace))
    submit(form, lambda: services.change_webhook(webhook=webhook, actor=request.user, **form.as_said()))
    if form.errors:
        webhook.refresh_from_db()
        return _render_one(request, webhook, form)
    messages.success(request, "Changed.")
    return redirect("workspaces:webhook_page", webhook.public_id)


@require_POST
@never_cache
@requires(Action.MANAGE_WEBHOOKS)
def rotate_webhook_secret(request: AppHttpRequest, webhook_id: str) -> HttpResponse:
    webhook = request.access.fetch(Webhook, webhook_id)
    secret = services.rotate_secret(webhook=webhook, actor=request.user)
    return _render_one(request, webhook, _form_of(webhook), secret=secret)


@require_POST
@requires(Action.MANAGE_WEBHOOKS)
def switch_webhook(request: AppHttpRequest, webhook_id: str) -> HttpResponse:
    webhook = request.access.fetch(Webhook, webhook_id)
    switch = services.turn_off if webhook.is_on else services.turn_on
    switch(webhook=webhook, actor=request.user)
    return redirect("workspaces:webhook_page", webhook.public_id)


@require_POST
@requires(Action.MANAGE_WEBHOOKS)
def ping_webhook(request: AppHttpRequest, webhook_id: str) -> HttpResponse:
    webhook = request.access.fetch(Webhook, webhook_id)
    try:
        services.ping(webhook=webhook)
        messages.success(request, "A test is on its way. The log below shows whether it got there.")
    except Conflict as error:
        messages.error(request, error.message)
    return redirect("workspaces:webhook_page", webhook.public_id)


@require_POST
@requires(Action.MANAGE_WEBHOOKS)
def delete_webhook(request: AppHttpRequest, webhook_id: str) -> HttpResponse:
    webhook = request.access.fetch(Webhook, webhook_id)
    workspace = webhook.workspace
    services.delete_webhook(webhook=webhook, actor=request.user)
    messages.success(request, f"The webhook to {services.host_of(webhook)} is gone.")
    return redirect("workspaces:webhooks_page", workspace.public_id)


@require_POST
@requires(Action.MANAGE_WEBHOOKS)
def send_again(request: AppHttpRequest, delivery_id: str) -> HttpResponse:
    delivery = request.access.fetch(Delivery, delivery_id)
    try:
        services.send_again(delivery=delivery, actor=request.user)
        messages.success(request, "The message is sent again.")
    except Conflict as error:
        messages.error(request, error.message)
    return redirect("workspaces:webhook_page", delivery.webhook.public_id)


def _form_of(webhook: Webhook) -> WebhookForm:
    said = {"url": webhook.url, "kinds": webhook.kinds, "only_function": webhook.only_function}
    said["everything"] = not webhook.kinds
    return WebhookForm(initial=said, functions=names_of_functions(webhook.workspace))


def _render_list(request: AppHttpRequest, workspace: Workspace, form: WebhookForm) -> HttpResponse:
    context = {"rows": webhook_selectors.webhook_rows(workspace), "form": form}
    return render(request, "workspaces/webhooks_page.html", context, status=422 if form.errors else 200)


def _render_one(request: AppHttpRequest, webhook: Webhook, form: WebhookForm, *, secret: str = "") -> HttpResponse:
    context = {
        "webhook": webhook,
        "host": services.host_of(webhook),
        "function_name": names_of_functions(webhook.workspace).get(webhook.only_function, webhook.only_function),
        "form": form,
        "secret": secret,
        "log": webhook_selectors.delivery_log(webhook=webhook, page_number=request.GET.get("page", "1")),
        "python": webhook_words.PYTHON,
        "javascript": webhook_words.JAVASCRIPT,
    }
    return render(request, "workspaces/webhook_page.html", context, status=422 if form.errors else 200)
