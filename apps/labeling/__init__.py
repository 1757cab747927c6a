"""The queue and the page where a person labels."""
