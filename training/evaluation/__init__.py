"""Evaluation of models on held-out runs.

``evaluate`` scores finished fits on held-out runs (``held_out``, ``selection``), with intervals, p
values, noise ceilings and inter-subject correlations (``ceilings``); ``compare`` compares two
models paired over runs. ``folders`` defines the files that they write and the report reads.
"""
