"""Embeddings, rounds and trained models; the one place where rows become arrays."""
