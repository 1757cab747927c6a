"""Addresses of this app."""

from django.urls import path

from apps.functions import instruction_views, proposal_views, teamwork_views, views

app_name = "functions"

urlpatterns = [
    path("", views.home, name="home"),
    path("functions/new/", views.new_function_page, name="new_function_page"),
    path("functions/<str:function_id>/settings/", views.settings_page, name="settings_page"),
    path("functions/<str:function_id>/settings/name/", views.rename_function, name="rename_function"),
    path("functions/<str:function_id>/settings/delete/", views.delete_function, name="delete_function"),
    path("functions/<str:function_id>/teamwork/", teamwork_views.teamwork_page, name="teamwork_page"),
    path("functions/<str:function_id>/labels/", views.add_label, name="add_label"),
    path(
        "functions/<str:function_id>/instructions/",
        instruction_views.instructions_page,
        name="instructions_page",
    ),
    path(
        "functions/<str:function_id>/instructions/preview/",
        instruction_views.preview,
        name="preview_instructions",
    ),
    path("proposals/<str:proposal_id>/accept/", proposal_views.accept, name="accept_proposal"),
    path("proposals/<str:proposal_id>/decline/", proposal_views.decline, name="decline_proposal"),
    path("labels/<str:label_id>/name/", views.rename_label, name="rename_label"),
    path("labels/<str:label_id>/description/", views.describe_label, name="describe_label"),
    path("labels/<str:label_id>/colour/", views.recolour_label, name="recolour_label"),
    path("labels/<str:label_id>/delete/", views.delete_label, name="delete_label"),
]
