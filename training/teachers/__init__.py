"""Teachers: networks whose embeddings of a corpus SoundNet is trained to predict (distillation).

A teacher is any module with the HEAR API. Its embeddings of a corpus are computed once, into a
memory-mapped table (:mod:`training.teachers.table`), and looked up by recording and time. Three are
included, each reading its published weight file, verified by hash:

- :mod:`training.teachers.yamnet`: 521 sound classes;
- :mod:`training.teachers.speech_embedding`: features for keyword spotting;
- :mod:`training.teachers.aisfx`: sound effects.
"""
