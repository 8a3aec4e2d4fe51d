"""Tasks in the folder layout of HEAR, made from recordings at hand."""
