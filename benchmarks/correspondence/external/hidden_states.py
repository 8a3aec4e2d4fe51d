"""Hidden states of a transformer of the transformers library as stages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn


class HiddenStates(nn.Module):
    """Wrapper that passes each hidden state, and any logits, through a separate module.

    The library's hidden states range from the input of the first layer to the output of the last;
    the first is not the output of a submodule, so that a hook alone would miss it.

    Parameters
    ----------
    network : nn.Module
        Network whose ``forward`` supports ``output_hidden_states``.
    stages : sequence of str
        Names of the hidden states in order, then of the logits.
    """

    def __init__(self, network: nn.Module, stages: Sequence[str]) -> None:
        super().__init__()
        self.network = network
        self.stages = nn.ModuleDict({stage: nn.Identity() for stage in stages})

    def forward(self, values: Tensor) -> None:
        """Run the network on its input values or features."""
        output = self.network(values, output_hidden_states=True)
        states = list(output.hidden_states)
        if getattr(output, "logits", None) is not None:
            states.append(output.logits)
        if len(states) != len(self.stages):
            raise ValueError(
                f"expected {len(self.stages)} stages ({', '.join(self.stages)}), the network has "
                f"{len(states)}; give the weights of the model that the overview names"
            )
        for stage, state in zip(self.stages.values(), states, strict=True):
            stage(state)


def from_local_folder(kind: Any, folder: Path) -> Any:
    """A pretrained model of the library, loaded from a local folder, with all its weights.

    Raises
    ------
    ValueError
        If the folder has no model of this kind, or weights are missing, which the library would
        initialise randomly.
    """
    if not (folder / "config.json").is_file():
        raise ValueError(
            f"{folder} has no config.json; expected the folder of a model of the transformers "
            "library, with its configuration and weights"
        )
    try:
        model, report = kind.from_pretrained(
            folder, local_files_only=True, output_loading_info=True
        )
    except (OSError, RuntimeError) as error:
        raise ValueError(f"{folder} cannot be read as a {kind.__name__}: {error}") from error
    if report["missing_keys"] or report["mismatched_keys"]:
        some = [str(key) for key in (*report["missing_keys"], *report["mismatched_keys"])][:3]
        raise ValueError(f"{folder} lacks weights of a {kind.__name__}: {', '.join(some)}, ...")
    return model
