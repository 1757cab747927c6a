"""Every write to samples: annotating, taking in, importing, deleting. Exports only read and live beside them."""
