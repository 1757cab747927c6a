"""Addresses of the API, as they are once `ApiPaths` has taken the mount and a last slash off. Calls of functions do not
come through here: see `apps.invoke.asgi`.
"""

from django.urls import path

from apps.api.description.views import docs, schema
from apps.api.views.annotations import AnnotationView
from apps.api.views.audit import AuditView
from apps.api.views.capture import CaptureView
from apps.api.views.exports import ExportResultView, ExportsView, ExportView
from apps.api.views.feedback import FunctionFeedbackView, SampleFeedbackView
from apps.api.views.fields import FieldsView, FieldView
from apps.api.views.figures import ConfusionView, FiguresView
from apps.api.views.functions import FunctionsView, FunctionView
from apps.api.views.labels import LabelsView, LabelView
from apps.api.views.media import MediaView
from apps.api.views.models import AutomaticModelView, ModelsView, ModelView, PublishModelView, RollBackView
from apps.api.views.monitoring import CallsView, DriftView, MonitoringView
from apps.api.views.old_samples import OldAnnotationView, OldSamplesView, OldSampleView
from apps.api.views.projects import ProjectsView
from apps.api.views.samples import SampleBatchView, SamplesView, SampleView
from apps.api.views.search import OldSearchView, SearchInvokeView, SearchView
from apps.api.views.token import TokenView
from apps.api.views.v09 import FunctionStateView, MetricsView, OldMetricsView
from apps.api.views.webhooks import (
    DeliveriesView,
    RedeliveryView,
    WebhookPingView,
    WebhookSecretView,
    WebhooksView,
    WebhookView,
)

app_name = "api"

urlpatterns = [
    path("api/docs/", docs, name="docs"),
    path("api/schema/", schema, name="schema"),
    path("connect/token", TokenView.as_view(), name="token"),
    path("v0.9/functions/<str:function_id>/samples", OldSamplesView.as_view(), name="old_samples"),
    path("v0.9/functions/<str:function_id>/samples/<str:sample_id>", OldSampleView.as_view(), name="old_sample"),
    path(
        "v0.9/functions/<str:function_id>/samples/<str:sample_id>/annotation",
        OldAnnotationView.as_view(),
        name="old_annotation",
    ),
    path("v0.9/functions/<str:function_id>", FunctionStateView.as_view(), name="function_state"),
    path("v0.9/functions/<str:function_id>/metrics", OldMetricsView.as_view(), name="old_metrics"),
    path("v0.9/functions/<str:function_id>/search", OldSearchView.as_view(), name="old_search"),
    path("v0.9/projects", ProjectsView.as_view(), name="projects"),
    path("v1/audit", AuditView.as_view(), name="audit"),
    path("v1/functions", FunctionsView.as_view(), name="functions"),
    path("v1/functions/<str:function_id>", FunctionView.as_view(), name="function"),
    path("v1/functions/<str:function_id>/accuracy", FiguresView.as_view(), name="accuracy"),
    path("v1/functions/<str:function_id>/capture", CaptureView.as_view(), name="capture"),
    path("v1/functions/<str:function_id>/feedback", FunctionFeedbackView.as_view(), name="function_feedback"),
    path("v1/functions/<str:function_id>/calls", CallsView.as_view(), name="calls"),
    path("v1/functions/<str:function_id>/confusion", ConfusionView.as_view(), name="confusion"),
    path("v1/functions/<str:function_id>/drift", DriftView.as_view(), name="drift"),
    path("v1/functions/<str:function_id>/exports", ExportsView.as_view(), name="exports"),
    path("v1/functions/<str:function_id>/exports/<str:export_id>", ExportView.as_view(), name="export"),
    path(
        "v1/functions/<str:function_id>/exports/<str:export_id>/result",
        ExportResultView.as_view(),
        name="export_result",
    ),
    path("v1/functions/<str:function_id>/fields", FieldsView.as_view(), name="fields"),
    path("v1/functions/<str:function_id>/fields/<str:field_id>", FieldView.as_view(), name="field"),
    path("v1/functions/<str:function_id>/labels", LabelsView.as_view(), name="labels"),
    path("v1/functions/<str:function_id>/labels/<str:label_id>", LabelView.as_view(), name="label"),
    path("v1/functions/<str:function_id>/metrics", MetricsView.as_view(), name="metrics"),
    path("v1/functions/<str:function_id>/models", ModelsView.as_view(), name="models"),
    path("v1/functions/<str:function_id>/models/automatic", AutomaticModelView.as_view(), name="automatic_model"),
    path("v1/functions/<str:function_id>/models/roll-back", RollBackView.as_view(), name="roll_back_model"),
    path("v1/functions/<str:function_id>/models/<str:model_id>", ModelView.as_view(), name="model"),
    path(
        "v1/functions/<str:function_id>/models/<str:model_id>/publish", PublishModelView.as_view(), name="publish_model"
    ),
    path("v1/functions/<str:function_id>/monitoring", MonitoringView.as_view(), name="monitoring"),
    path("v1/functions/<str:function_id>/samples", SamplesView.as_view(), name="samples"),
    path("v1/functions/<str:function_id>/samples/batch", SampleBatchView.as_view(), name="sample_batch"),
    path("v1/functions/<str:function_id>/samples/<str:sample_id>", SampleView.as_view(), name="sample"),
    path(
        "v1/functions/<str:function_id>/samples/<str:sample_id>/annotation", AnnotationView.as_view(), name="annotation"
    ),
    path(
        "v1/functions/<str:function_id>/samples/<str:sample_id>/feedback",
        SampleFeedbackView.as_view(),
        name="sample_feedback",
    ),
    path("v1/functions/<str:function_id>/search", SearchView.as_view(), name="search"),
    path("v1/media/<str:token>", MediaView.as_view(), name="media"),
    path("v1/search-functions/<str:function_id>/invoke", SearchInvokeView.as_view(), name="search_invoke"),
    path("v1/webhooks", WebhooksView.as_view(), name="webhooks"),
    path("v1/webhooks/<str:webhook_id>", WebhookView.as_view(), name="webhook"),
    path("v1/webhooks/<str:webhook_id>/deliveries", DeliveriesView.as_view(), name="deliveries"),
    path(
        "v1/webhooks/<str:webhook_id>/deliveries/<str:delivery_id>/redeliver",
        RedeliveryView.as_view(),
        name="redelivery",
    ),
    path("v1/webhooks/<str:webhook_id>/ping", WebhookPingView.as_view(), name="webhook_ping"),
    path("v1/webhooks/<str:webhook_id>/secret", WebhookSecretView.as_view(), name="webhook_secret"),
]
