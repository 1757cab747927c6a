"""Filters for the page that describes the API."""
