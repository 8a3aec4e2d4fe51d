"""Brain encoding: prediction of responses to held-out sounds, on real and simulated data.

Each experiment uses the functions of the commands, from recordings to scores, and writes its
numbers to ``results/``; ``results.md`` is generated from these alone.
"""
