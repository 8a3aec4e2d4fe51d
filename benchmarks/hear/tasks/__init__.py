"""Tasks in the folder layout of HEAR, made from local recordings."""
