"""Tenancy: workspaces, roles, invitations, API keys and every fetch-with-permission."""
