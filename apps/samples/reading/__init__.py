"""Files turned into records: encodings, tables, JSON lines, zips. No database here, and no file is trusted.

Every reader works from a byte offset and tells the offset just past each record, so that an import can stop anywhere
and go on there, in another process if need be. Nothing is held in memory beyond one bounded record.
"""
