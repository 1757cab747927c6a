"""Addresses of this app."""

from django.urls import path

from apps.labeling import grid_views, key_views, views

app_name = "labeling"

urlpatterns = [
    path("functions/<str:function_id>/label/", views.label_page, name="label_page"),
    path("functions/<str:function_id>/label/progress/", views.progress, name="progress"),
    path("functions/<str:function_id>/label/outlook/", views.outlook, name="outlook"),
    path("functions/<str:function_id>/label/new-label/", views.new_label, name="new_label"),
    path("functions/<str:function_id>/label/suggest-label/", views.suggest_label, name="suggest_label"),
    path("functions/<str:function_id>/label/skipped-again/", views.skipped_again, name="skipped_again"),
    path("functions/<str:function_id>/queue/", views.queue, name="queue"),
    path("functions/<str:function_id>/holding/", views.holding, name="holding"),
    path("functions/<str:function_id>/answers/", views.answers, name="answers"),
    path("functions/<str:function_id>/undo/", views.undo, name="undo"),
    path("functions/<str:function_id>/grid/", grid_views.grid_page, name="grid_page"),
    path("functions/<str:function_id>/grid/samples/", grid_views.grid_samples, name="grid_samples"),
    path("functions/<str:function_id>/label-selection/", grid_views.label_selection, name="label_selection"),
    path("functions/<str:function_id>/marks/", views.mark, name="mark"),
    path("functions/<str:function_id>/comments/", views.comment, name="comment"),
    path("shortcuts/key/", key_views.choose, name="choose_key"),
    path("shortcuts/switch/", key_views.switch, name="switch_keys"),
    path("shortcuts/reset/", key_views.reset, name="reset_keys"),
]
