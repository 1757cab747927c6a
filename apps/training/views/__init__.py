"""Pages of what is learned: keyword rules, and the models that were made."""
