"""Answering from a published model: the warm path, and the page that shows how to call it."""
