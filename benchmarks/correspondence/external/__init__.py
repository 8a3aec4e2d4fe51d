"""The networks of Tuckute, Feather et al. (2023) as runnable adapters.

Nine public networks and ten trained by the authors, each in the shape that was published, with the
stages, input rate and level that the paper used. :mod:`.overview` is the table of all of them;
``load_external("VGGish", weights=...)`` gives a model that the benchmark compares with a brain.

Nothing is downloaded: weights come from files or folders that the user names. Without them a
network runs with random weights and says so. Which stages were read, and how, follows the paper's
own extraction code (the repositories are named in each row), which is more exact than its text.
"""
