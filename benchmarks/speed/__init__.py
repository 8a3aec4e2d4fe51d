"""Speed and memory, relative to straightforward implementations of the same work."""
