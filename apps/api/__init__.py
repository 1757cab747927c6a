"""The public HTTP contract: `/v1`, `/v0.9` and `/connect/token`, at the root and under `/api.com`."""
