import pytest
import torch

from hear_brainsoundnet.checkpoint import CHECKPOINT_FOLDER, NAMED
from training.fitting.untrained import SEED, calibration_sounds, untrained_soundnet, write_untrained


@pytest.mark.slow
def test_the_embedded_file_can_be_written_again(tmp_path, untrained):
    """Equal up to rounding in the statistics: another processor may add up in another order."""
    again = untrained_soundnet(SEED).state_dict()
    for name, tensor in untrained.tensors.items():
        torch.testing.assert_close(
            again[name.removeprefix("soundnet.")], tensor, rtol=1e-4, atol=1e-6
        )
    path = tmp_path / "untrained.safetensors"
    digest = write_untrained(path, SEED)
    assert write_untrained(path, SEED) == digest
    assert path.stat().st_size == (CHECKPOINT_FOLDER / NAMED["untrained"].file).stat().st_size


@pytest.mark.slow
def test_calibrated_stages_have_mean_zero_and_variance_one_before_the_relu():
    soundnet = untrained_soundnet(seed=7)
    frames = calibration_sounds(seed=7)[:, None]
    for layer in soundnet.layers[:4]:
        block = soundnet.block(layer.name)
        normed = block.norm(block.conv(frames)).detach()
        assert normed.mean(dim=(0, 2)).abs().max() < 1e-3
        assert (normed.var(dim=(0, 2)) - 1).abs().max() < 1e-2
        frames = block(frames)
        if layer.pool:
            frames = torch.nn.functional.max_pool1d(frames, layer.pool)


def test_another_seed_gives_other_sounds_and_weights():
    assert torch.equal(calibration_sounds(1, 4, 0.5), calibration_sounds(1, 4, 0.5))
    assert not torch.equal(calibration_sounds(1, 4, 0.5), calibration_sounds(2, 4, 0.5))
