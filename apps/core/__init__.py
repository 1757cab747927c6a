"""Ground floor: ids, errors, job names, leases and the typed request; it knows no other app."""
