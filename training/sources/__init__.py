"""Where data comes from: each module brings one kind of recording in as `Recording` objects."""
