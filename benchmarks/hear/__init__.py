"""HEAR tasks, run with the real HEAR eval kit.

``python -m benchmarks hear all --data DIR --out DIR`` makes the tasks, runs every model on them
and writes a page; ``--help`` lists the single steps. ``compare`` ranks
models among published ones; ``python -m benchmarks published hear`` reproduces published figures.
"""
