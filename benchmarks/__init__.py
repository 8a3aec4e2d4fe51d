"""What the embeddings are worth: measured, each page written again by one command.

A package of the checkout, not of the installed plugin.
"""
