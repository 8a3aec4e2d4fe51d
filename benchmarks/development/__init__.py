"""Development tasks: for selecting presets, recipes and checkpoints, separate from reported tasks.

Selecting a preset on the tasks of a results page would bias that page. These tasks are of the same
kinds (sound classes, speakers, short words, instruments, notes, onsets) and share no recording,
vocabulary or class list with them; they are made from a pretraining corpus and from free
synthesisers. ``python -m benchmarks development tasks`` makes them, ``measure`` compares
checkpoints and scene expressions.

Most of the clips are cut from recordings of the networks' pretraining corpus, without labels. Their
scores are therefore no estimate of performance on new recordings. For selecting among networks and
read-outs that is acceptable: all candidates were trained on the same recordings, none on the labels
of these tasks, and test clips always come from another package, voice or instrument than training
clips. The synthesised words and notes, and the voices of the tested words, are in no corpus at all.
"""
