"""Teachers: networks whose embeddings of a corpus SoundNet learns to predict (distillation).

A teacher is any module with the HEAR API. Its embeddings of a corpus are computed once, into a
table that is mapped into memory (:mod:`training.teachers.table`), and looked up by recording and
time. Three are at hand, each reading the file that its authors published, by its hash:

- :mod:`training.teachers.yamnet`: 521 kinds of sound;
- :mod:`training.teachers.speech_embedding`: what words are made of;
- :mod:`training.teachers.aisfx`: sound effects.
"""
