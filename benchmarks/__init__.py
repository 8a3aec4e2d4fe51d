"""Benchmarks: what the embeddings and the software are worth, measured; part of the checkout only.

``python -m benchmarks --help`` lists them. A benchmark is a folder with

- ``cli.py``: its commands, :class:`benchmarks.program.Benchmark`; a command that measures yields
  named documents (:mod:`benchmarks.results`), each written as one JSON file;
- ``page.py``: what its results page shows, with pictures drawn from the documents
  (:mod:`benchmarks.page`, :mod:`benchmarks.figures`);
- ``results/`` and ``results.md``: the committed results and their page, written with
  ``--committed`` alone.
"""
