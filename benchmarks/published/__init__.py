"""Published figures, recomputed from the authors' published tables.

The package's statistics should reproduce the same numbers from the same data.
"""
