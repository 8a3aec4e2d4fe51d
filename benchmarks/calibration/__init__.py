"""Are p values, corrections, ceilings and intervals what they claim to be? Simulated, truth known.

Each experiment leaves its numbers in ``results/``; ``results.md`` is written from these alone.
"""
