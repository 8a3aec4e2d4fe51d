"""Speed and memory, each measured against the plainest way to do the same work."""
