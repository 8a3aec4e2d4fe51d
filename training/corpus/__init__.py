"""Corpora to pretrain on: free audio from Debian packages, synthesised sound, a user's own folder.

A corpus is a folder (:mod:`training.corpus.corpus`); :mod:`training.corpus.build` writes one from
sources, which :mod:`training.corpus.packages`, :mod:`training.corpus.speech` and
:mod:`training.corpus.music` provide. :mod:`training.corpus.held_out` keeps evaluation sounds out.
"""
