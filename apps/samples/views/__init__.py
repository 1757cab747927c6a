"""Doors of this app: bringing samples, their pictures, taking them out and away."""
