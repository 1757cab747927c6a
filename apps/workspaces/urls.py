"""Addresses of this app."""

from django.urls import path

from apps.workspaces.views import audit, entry, keys, live, members, profile, webhooks, workspaces

app_name = "workspaces"

urlpatterns = [
    path("welcome/<str:token>/", entry.set_up, name="set_up"),
    path("invite/<str:token>/", entry.accept_invitation, name="accept_invitation"),
    path("enter/<str:token>/", entry.one_time_sign_in, name="one_time_sign_in"),
    path("profile/", profile.profile_page, name="profile_page"),
    path("profile/password/", profile.change_password, name="change_password"),
    path("workspaces/new/", workspaces.new_workspace_page, name="new_workspace_page"),
    path("workspaces/switch/", workspaces.switch_workspace, name="switch_workspace"),
    path("workspaces/<str:workspace_id>/members/", members.members_page, name="members_page"),
    path("workspaces/<str:workspace_id>/members/invite/", members.invite_member, name="invite_member"),
    path("workspaces/<str:workspace_id>/leave/", members.leave_workspace, name="leave_workspace"),
    path("members/<str:member_id>/role/", members.change_role, name="change_role"),
    path("members/<str:member_id>/remove/", members.remove_member, name="remove_member"),
    path("invitations/<str:invitation_id>/revoke/", members.revoke_invitation, name="revoke_invitation"),
    path("workspaces/<str:workspace_id>/keys/", keys.keys_page, name="keys_page"),
    path("workspaces/<str:workspace_id>/keys/new/", keys.make_key, name="make_key"),
    path("keys/<str:key_id>/revoke/", keys.revoke_key, name="revoke_key"),
    path("keys/<str:key_id>/rotate/", keys.rotate_key, name="rotate_key"),
    path("workspaces/<str:workspace_id>/webhooks/", webhooks.webhooks_page, name="webhooks_page"),
    path("workspaces/<str:workspace_id>/webhooks/new/", webhooks.make_webhook, name="make_webhook"),
    path("webhooks/<str:webhook_id>/", webhooks.webhook_page, name="webhook_page"),
    path("webhooks/<str:webhook_id>/change/", webhooks.change_webhook, name="change_webhook"),
    path("webhooks/<str:webhook_id>/secret/", webhooks.rotate_webhook_secret, name="rotate_webhook_secret"),
    path("webhooks/<str:webhook_id>/switch/", webhooks.switch_webhook, name="switch_webhook"),
    path("webhooks/<str:webhook_id>/ping/", webhooks.ping_webhook, name="ping_webhook"),
    path("webhooks/<str:webhook_id>/delete/", webhooks.delete_webhook, name="delete_webhook"),
    path("deliveries/<str:delivery_id>/again/", webhooks.send_again, name="send_again"),
    path("workspaces/<str:workspace_id>/audit/", audit.audit_page, name="audit_page"),
    path(
        "workspaces/<str:workspace_id>/audit.jsonl", audit.export_audit, {"format": "jsonl"}, name="export_audit_lines"
    ),
    path("workspaces/<str:workspace_id>/audit.csv", audit.export_audit, {"format": "csv"}, name="export_audit_table"),
    path("live/<str:workspace_id>/", live.live, name="live"),
]
