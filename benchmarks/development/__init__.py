"""Tasks to choose by: presets, recipes and checkpoints are compared here, and reported elsewhere.

A preset that was chosen on the tasks of a results page flatters that page. These tasks are of the
same kinds as those (kinds of sound, speakers, short words, instruments, notes, onsets) and share no
recording, no vocabulary and no class list with them; they are made from a corpus to pretrain on
and from free synthesisers. ``python -m benchmarks.development tasks`` makes them, ``measure``
compares checkpoints and scene expressions.

Most of the clips are cut from recordings that the networks were pretrained on, without labels.
Their scores are therefore no estimate of what a network does with new sounds. For a choice between
networks and between ways to read them that is acceptable: all candidates have met the same
recordings, none has met a label of these tasks, and what is tested is always another package, voice
or instrument than what the labels were learned from. The synthesised words and notes, and the
voices that speak the tested words, are in no corpus at all.
"""
