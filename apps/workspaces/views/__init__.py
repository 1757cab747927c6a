"""Pages about who may do what: the links people come in by, members, keys, the audit log, oneself, and live events."""
