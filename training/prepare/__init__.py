"""Preparation: from a collection of recordings to a prepared dataset, checked and summarised.

``preparation`` is the whole of it; ``run_preparation`` and ``run_checks`` handle one run,
``synchrony`` compares sound and responses in time, ``summary`` writes the page to look at.
"""
