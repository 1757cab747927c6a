"""Functions and their labels."""
