"""Audio corpora for pretraining: free audio from Debian packages, synthesised audio, a user's
folder.

A corpus is a folder (:mod:`training.corpus.corpus`); :mod:`training.corpus.build` writes one from
sources, provided by :mod:`training.corpus.debian`, :mod:`training.corpus.speech` and
:mod:`training.corpus.music`. :mod:`training.corpus.held_out` excludes evaluation recordings.
"""
