"""Data sources: each module reads one kind of data as `Recording` objects."""
