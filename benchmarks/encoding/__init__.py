"""Brain encoding: how well responses to unheard sounds are predicted, on real and simulated data.

Each experiment takes recordings from files to scores with the commands' own functions and leaves
its numbers in ``results/``; ``results.md`` is written from these alone.
"""
