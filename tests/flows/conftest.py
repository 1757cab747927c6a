"""Some of what users ask for takes a browser: the fixtures of `tests.browser`, with an `up` of their own."""

from tests.browser.conftest import base_url, browser, context, page, shared_up

__all__ = ["base_url", "browser", "context", "page", "shared_up"]
