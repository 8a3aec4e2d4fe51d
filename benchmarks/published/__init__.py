"""Published figures, redone from the tables that their authors published.

A program whose statistics are to be believed should come to the same numbers from the same data.
"""
