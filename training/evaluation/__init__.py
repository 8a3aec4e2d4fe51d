"""Evaluation of models on held-out runs.

``run_scores`` predicts and scores single runs, for fits. ``evaluate`` scores finished fits on
held-out runs (``held_out``, ``selection``), with intervals, p values, noise ceilings (``ceilings``)
and inter-subject correlations (``inter_subject``); ``compare`` compares two models paired over
runs; ``matrix`` gives scores of models across subjects. ``folders`` defines the files that they
write and the report reads.
"""
