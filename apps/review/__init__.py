"""What the model says of your own samples: figures, verdicts, filters."""
