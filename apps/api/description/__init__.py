"""The API in words: the OpenAPI document and the page made from it."""
