"""Scores of models on runs that they were not trained on, and what they are worth.

``run_scores`` predicts and scores single runs, for fits. ``evaluate`` scores finished fits on what
is held out for them (``held_out``, ``selection``), with intervals, p values, noise ceilings
(``ceilings``) and correlations between subjects (``inter_subject``); ``compare`` pairs two models
over runs; ``matrix`` shows whose model predicts whose brain.
``folders`` defines what they write and what the report reads.
"""
