"""What travels in JSON, by resource. Fields are named as on the wire."""
