"""What happened: one record, its outlets are the audit log and the open browsers."""
