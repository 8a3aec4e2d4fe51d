"""Common properties of the two networks trained by the paper's authors: tasks, level, weights."""

from __future__ import annotations

# Variant: training task, and name in the folders of the authors' repository.
TASKS = {
    "Word": ("word in the middle of speech in noise (794)", "word"),
    "Speaker": ("speaker of speech in noise (433)", "speaker"),
    "AudioSet": ("AudioSet events (517)", "audioset"),
    "Genre": ("musical genre", ""),
    "MultiTask": ("word, speaker and AudioSet events at once", "word_speaker_audioset"),
}

NORMALISATION = "each sound to mean 0 and a root mean square of 0.1; 2 s; cochleagram (211 filters)"

REMARKS = (
    "written here after jenellefeather/cochdnn, with its parameter names; the stages of the "
    "paper's analysis code, which leaves out the cochleagram itself (it would be one stage more); "
    "outputs of the task come after all stages and are not built"
)


def weights_of(architecture: str, folder: str) -> str:
    """Location of the authors' weights.

    Examples
    --------
    >>> weights_of("resnet50", "word")[:35]
    'the checkpoint of resnet50_word in '
    """
    if not folder:
        return (
            "the state dict as .safetensors; jenellefeather/cochdnn has no folder for the genre "
            "networks, so their weights have to be asked of the authors"
        )
    return (
        f"the checkpoint of {architecture}_{folder} in cochdnn_model_checkpoints.tar of "
        "jenellefeather/cochdnn, its state dict saved as .safetensors"
    )
