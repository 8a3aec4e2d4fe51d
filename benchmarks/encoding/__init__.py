"""Brain encoding: prediction of responses to held-out sounds, on real and simulated data.

The published recordings are fitted and scored by the commands of ``python -m training`` alone.
"""
