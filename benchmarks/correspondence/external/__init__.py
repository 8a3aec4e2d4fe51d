"""Adapters for the networks of Tuckute, Feather et al. (2023).

Nine public networks and ten trained by the authors, each in its published architecture, with the
stages, input rate and level used in the paper. :mod:`.overview` is the table of all of them;
``NETWORKS["VGGish"].load(weights)`` gives a model that the benchmark compares with brain
responses.

Nothing is downloaded: weights are files or folders given by the user. Without them a network has
random weights, with a warning. Stages and read-outs follow the paper's extraction code (the
repositories are named in each row), which is more exact than its text.
"""
