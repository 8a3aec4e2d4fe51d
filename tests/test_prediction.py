"""Predicted responses: equal to the encoder on the whole clip, and whole on disk or not there."""

import sys
from dataclasses import replace
from itertools import pairwise

import h5py
import nibabel
import numpy as np
import pytest
import soundfile
import torch
import torch.nn.functional as F
import torchaudio

from hear_brainsoundnet import prediction
from hear_brainsoundnet.audio import AudioFile, TensorSound
from hear_brainsoundnet.card import Card
from hear_brainsoundnet.checkpoint import read_checkpoint, write_checkpoint
from hear_brainsoundnet.cli import main
from hear_brainsoundnet.encoder import BrainEncoder, ReadOut
from hear_brainsoundnet.geometry import stage_geometry
from hear_brainsoundnet.prediction import FramesAt, n_trs_within, predict_responses
from hear_brainsoundnet.prediction_files import TargetImage, find_sounds
from hear_brainsoundnet.soundnet import LAYERS, SoundNet

NARROW = tuple(replace(layer, channels=4 + i) for i, layer in enumerate(LAYERS))
SCALE = 16.0
IDS = (2, 5, 9)
AFFINE = np.array([[-3.0, 0, 0, 20], [0, 3, 0, -30], [0, 0, 4, 7], [0, 0, 0, 1]])


def encoder_of(alignment="interpolate", *, stage="conv7", names=("sub-01", "sub-02"), **fields):
    """The real geometry with a few channels, whose activations follow the sound."""
    torch.manual_seed(0)
    n_delays, tr = (1, 0.0) if alignment == "mean" else (4, 1.49)
    fields = {"target_names": ("a", "b", "c"), "atlas": "toy", "tr": tr, **fields}
    read_out = ReadOut(stage, n_delays, alignment=alignment, target_ids=IDS, names=names, **fields)
    encoder = BrainEncoder(SoundNet(NARROW), read_out)
    with torch.no_grad():
        for layer in NARROW:
            encoder.soundnet.block(layer.name).conv.weight.mul_(3)
    return encoder.eval()


def noise(n_samples, seed=0):
    """Noise whose loudness goes up and down, so that responses differ from TR to TR."""
    generator = torch.Generator().manual_seed(seed)
    loudness = torch.arange(n_samples).div(30_000).sin().square()
    return (torch.rand(1, n_samples, generator=generator) * 2 - 1) * loudness


def assert_close(actual, expected):
    """Equal within 1e-5 of the range of the responses, which are not constant."""
    assert actual.dtype == torch.float32
    assert actual.shape == expected.shape
    span = float(expected.max() - expected.min())
    assert span > 1e-3 * float(expected.abs().max())
    assert float((actual - expected).abs().max()) <= 1e-5 * span


@pytest.mark.parametrize(("stage", "power_transform"), [("conv4", "sqrt"), ("conv7", "none")])
@pytest.mark.parametrize(
    ("alignment", "n_trs", "start"),
    [
        ("interpolate", 10, 0.0),
        ("interpolate", 12, 3.3),
        ("interpolate", 5, -4.0),
        ("crop", 9, 0.0),
        ("mean", 1, 0.0),
    ],
)
def test_segments_change_nothing(alignment, n_trs, start, stage, power_transform):
    encoder = encoder_of(alignment, stage=stage, power_transform=power_transform)
    audio = noise(22_050 * 14 + 77)
    predicted = predict_responses(
        encoder,
        TensorSound(audio, 22_050),
        input_scale=SCALE,
        n_trs=n_trs,
        start=start,
        samples_per_pass=180_000,
    )
    assert list(predicted) == ["sub-01", "sub-02"]
    for name, rows in predicted.items():
        expected = encoder(SCALE * audio, n_trs, start=start, name=name)[0].detach()
        assert_close(rows, expected)


@pytest.mark.parametrize("alignment", ["interpolate", "crop", "mean"])
def test_a_file_of_another_rate_is_resampled(tmp_path, alignment):
    audio = noise(48_000 * 12).expand(2, -1) * torch.tensor([[0.4], [0.2]])
    soundfile.write(tmp_path / "stereo.wav", audio.T.numpy(), 48_000, subtype="FLOAT")
    encoder = encoder_of(alignment)
    whole = torchaudio.functional.resample(audio.mean(dim=0, keepdim=True), 48_000, 22_050)
    with AudioFile(tmp_path / "stereo.wav") as sound:
        predicted = predict_responses(encoder, sound, input_scale=SCALE, names=["sub-02"])
    assert list(predicted) == ["sub-02"]
    n_trs = 1 if alignment == "mean" else 9
    assert_close(predicted["sub-02"], encoder(SCALE * whole, n_trs, name="sub-02")[0].detach())


@pytest.mark.parametrize("n_samples", [1, 300, 4_573, 4_574, 20_000])
@pytest.mark.parametrize("alignment", ["interpolate", "crop", "mean"])
def test_a_short_sound_is_padded_with_silence(alignment, n_samples):
    encoder = encoder_of(alignment)
    audio = noise(n_samples) + 0.1
    padded = F.pad(SCALE * audio, (0, max(0, 4_574 - n_samples)))
    predicted = predict_responses(encoder, TensorSound(audio, 22_050), input_scale=SCALE)
    assert_close(predicted["sub-01"], encoder(padded, 1)[0].detach())


def test_the_mean_is_over_the_frames_within_the_sound():
    """conv7 frames are centred at -0.454 s, 1.032 s, 2.519 s: three seconds hear the last two."""
    encoder = encoder_of("mean")
    audio = noise(3 * 22_050)
    frames = encoder.soundnet(SCALE * audio, ["conv7"])["conv7"][0].detach().double()
    head = encoder.heads["sub-01"].double()
    expected = head.weight[:, :, 0] @ frames[:, 1:3].mean(dim=1) + head.bias
    predicted = predict_responses(encoder_of("mean"), TensorSound(audio, 22_050), input_scale=SCALE)
    assert_close(predicted["sub-01"], expected[None].float().detach())


def test_frames_that_arrive_in_pieces_are_interpolated_as_one():
    stage = stage_geometry()["conv5"]
    generator = np.random.default_rng(0)
    frames = generator.normal(size=(50, 2))
    centres = stage.centre + stage.hop * np.arange(50)
    for _ in range(30):
        times = np.sort(generator.uniform(-9 * stage.hop, 60 * stage.hop, 40))
        times[:5] = np.sort(generator.choice(centres, 5))
        times.sort()
        cuts = [0, *np.sort(generator.integers(0, 51, 6)), 50]
        rows = FramesAt(stage, torch.from_numpy(times))
        for first, stop in pairwise(cuts):
            rows.add(torch.from_numpy(frames[None, first:stop]), first)
        expected = np.stack([np.interp(times, centres, channel) for channel in frames.T], axis=1)
        np.testing.assert_allclose(rows.result()[0], expected, atol=1e-12)


@pytest.mark.parametrize(
    ("n_samples", "rate", "tr", "start", "n_trs"),
    [
        (447, 100, 1.49, 0.0, 3),  # three whole TRs; the fourth begins with the end
        (448, 100, 1.49, 0.0, 4),
        (3, 10, 0.1, 0.0, 3),  # 0.3 / 0.1 is less than 3 in binary, 0.7 / 0.1 too
        (7, 10, 0.1, 0.0, 7),
        (1, 48_000, 2.0, 0.0, 1),
        (10, 1, 2.0, 3.0, 4),
        (10, 1, 2.0, -3.0, 7),
    ],
)
def test_trs_count_that_begin_within_the_sound(n_samples, rate, tr, start, n_trs):
    assert n_trs_within(n_samples, rate, tr, start) == n_trs


def test_every_published_tr_within_a_sound_has_its_frame():
    """A TR of 1.49 s outlasts the hop of conv7, so that alignment "crop" never lacks frames."""
    stage = stage_geometry()["conv7"]
    for n_trs in range(1, 5_000):
        n_samples = int((n_trs - 1) * 1.49 * 22_050) + 1  # the shortest sound with so many
        assert stage.n_frames(max(n_samples, stage.shortest_input())) >= n_trs


def test_a_long_sound_is_read_in_pieces():
    class Silence:
        n_sounds, sample_rate, n_samples = 1, 22_050, 22_050 * 60
        longest = 0

        def read(self, start, stop):
            self.longest = max(self.longest, stop - start)
            return torch.zeros(1, stop - start)

    sound = Silence()
    encoder = encoder_of()
    rows = predict_responses(encoder, sound, input_scale=SCALE, samples_per_pass=200_000)["sub-01"]
    assert rows.shape == (41, 3)
    assert 100_000 < sound.longest <= 200_000


@pytest.mark.parametrize(
    ("alignment", "options", "message"),
    [
        ("crop", {"start": 2.0}, r"'crop', which takes frame i for TR i: the start must be 0, go"),
        ("mean", {"start": 2.0}, r"takes the mean over the whole sound: the start must be 0, got"),
        ("mean", {"n_trs": 3}, r"sound responses have one row, 3 TRs were asked for"),
        ("crop", {"n_trs": 50}, r"50 TRs were asked for, the sound yields 8 frames of conv7"),
        ("crop", {"n_trs": 0}, r"the number of TRs must be at least 1, got 0"),
        ("interpolate", {"start": float("nan")}, r"start must be a finite number of seconds, got"),
        ("interpolate", {"start": 10.0}, r"sound ends after 10 s and TR 0 begins at 10 s: no TR"),
        ("interpolate", {"names": ["sub-09"]}, r"no read-out 'sub-09'; .* has sub-01, sub-02"),
    ],
)
def test_impossible_requests_are_refused(alignment, options, message):
    sound = TensorSound(noise(220_500), 22_050)
    with pytest.raises(ValueError, match=message):
        predict_responses(encoder_of(alignment), sound, input_scale=SCALE, **options)


def test_training_mode_several_sounds_and_nan_are_refused():
    encoder = encoder_of()
    with pytest.raises(ValueError, match=r"expected one sound, got 2; predict them one by one"):
        predict_responses(encoder, TensorSound(torch.zeros(2, 9), 22_050), input_scale=SCALE)
    with pytest.raises(ValueError, match=r"expected audio within \[-1, 1\], got NaN"):
        predict_responses(
            encoder, TensorSound(torch.full((1, 9), torch.nan), 22_050), input_scale=SCALE
        )
    with pytest.raises(ValueError, match=r"training mode; call encoder.eval\(\) first"):
        predict_responses(encoder.train(), TensorSound(noise(9), 22_050), input_scale=SCALE)


# The command.


@pytest.fixture
def run(capsys):
    """Call `hear-brainsoundnet predict`; returns exit status, standard output and error."""

    def call(*arguments):
        with pytest.raises(SystemExit) as stop:
            main(["predict", *map(str, arguments)])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return stop.value.code, captured.out, captured.err

    return call


def write(path, *, names=("sub-01",), alignment="interpolate"):
    encoder = encoder_of(alignment, names=names)
    card = Card(
        name="toy", trained=True, input_scale=SCALE, layers=NARROW, read_out=encoder.read_out
    )
    write_checkpoint(path, card, encoder)
    return path


@pytest.fixture
def checkpoint(tmp_path):
    return write(tmp_path / "toy.safetensors")


@pytest.fixture
def several(tmp_path):
    return write(tmp_path / "several.safetensors", names=("sub-01", "sub-02"))


@pytest.fixture
def sounds(tmp_path):
    """Two recordings; the one in a folder is 7 s long."""
    folder = tmp_path / "sounds"
    (folder / "loud").mkdir(parents=True)
    soundfile.write(folder / "dog.wav", noise(22_050 * 2)[0].numpy(), 22_050, subtype="FLOAT")
    soundfile.write(
        folder / "loud" / "dog.wav", noise(22_050 * 7, 1)[0].numpy(), 22_050, subtype="FLOAT"
    )
    return folder


@pytest.fixture
def target_image():
    """Target ids 2, 5 and 9 in several voxels each, another id, background, and an affine."""
    voxels = np.random.default_rng(0).choice([0, 2, 4, 5, 9], size=(5, 4, 3))
    image = nibabel.Nifti1Image(voxels.astype(np.int16), AFFINE)
    image.set_sform(AFFINE, "mni")
    return image


def test_predictions_of_a_folder(run, tmp_path, sounds, several):
    out = tmp_path / "results" / "all.h5"
    status, output, _ = run(sounds, "--checkpoint", several, "-o", out)
    assert status == 0
    assert "2 of 2 files predicted with toy [" in output
    checkpoint = read_checkpoint(several)
    encoder = checkpoint.build_encoder()
    with h5py.File(out) as file:
        assert list(file["target_ids"]) == list(IDS)
        assert list(file["target_names"].asstr()) == ["a", "b", "c"]
        assert file.attrs["checkpoint"] == "toy"
        assert file.attrs["checkpoint_hash"] == checkpoint.hash
        assert file.attrs["atlas"] == "toy"
        assert file.attrs["package_version"]
        assert set(file) == {"dog", "loud.dog", "target_ids", "target_names"}
        audio = SCALE * noise(22_050 * 7, 1)
        for name in ("sub-01", "sub-02"):
            dataset = file[f"loud.dog/{name}/prediction"]
            assert_close(torch.from_numpy(dataset[()]), encoder(audio, 5, name=name)[0].detach())
            assert dict(dataset.attrs) == {
                "tr": 1.49,
                "start": 0.0,
                "audio_file": str(sounds / "loud" / "dog.wav"),
                "sample_rate": 22_050,
                "n_samples": 22_050 * 7,
            }
        assert file["dog/sub-01/prediction"].shape == (2, 3)
    assert [path.name for path in out.parent.iterdir()] == ["all.h5"]


def test_start_number_of_trs_and_subject(run, tmp_path, sounds, several):
    out = tmp_path / "p.h5"
    options = ["--start", "0.5", "--n-trs", "9", "--subject", "sub-02", "--device", "cpu"]
    assert run(sounds / "dog.wav", "--checkpoint", several, "-o", out, *options)[0] == 0
    encoder = read_checkpoint(several).build_encoder()
    expected = encoder(SCALE * noise(22_050 * 2), 9, start=0.5, name="sub-02")[0].detach()
    with h5py.File(out) as file:
        assert list(file["dog"]) == ["sub-02"]
        assert_close(torch.from_numpy(file["dog/sub-02/prediction"][()]), expected)
        assert file["dog/sub-02/prediction"].attrs["start"] == 0.5


def test_sound_responses_are_one_row_and_one_volume(run, tmp_path, sounds, target_image):
    checkpoint = write(tmp_path / "mean.safetensors", alignment="mean")
    nibabel.save(target_image, tmp_path / "mean.targets.nii.gz")
    assert run(sounds, "--checkpoint", checkpoint, "-o", tmp_path / "p.h5", "--map")[0] == 0
    with h5py.File(tmp_path / "p.h5") as file:
        assert file["loud.dog/sub-01/prediction"].shape == (1, 3)
    assert nibabel.load(tmp_path / "p.dog.nii.gz").shape == (5, 4, 3, 1)


@pytest.mark.parametrize("place", ["beside the checkpoint", "by option"])
def test_maps_put_every_value_on_the_voxels_of_its_target(
    run, tmp_path, sounds, checkpoint, target_image, place
):
    beside = place == "beside the checkpoint"
    image_path = tmp_path / ("toy.targets.nii.gz" if beside else "atlas.nii")
    nibabel.save(target_image, image_path)
    options = [] if beside else ["--atlas", image_path]
    out = tmp_path / "p.h5"
    assert run(sounds, "--checkpoint", checkpoint, "-o", out, "--map", *options)[0] == 0
    assert sorted(path.name for path in tmp_path.glob("p.*")) == [
        "p.dog.nii.gz",
        "p.h5",
        "p.loud.dog.nii.gz",
    ]
    image = nibabel.load(tmp_path / "p.loud.dog.nii.gz")
    with h5py.File(out) as file:
        predicted = file["loud.dog/sub-01/prediction"][()]
    values = np.asarray(image.dataobj)
    ids = np.asarray(target_image.dataobj)
    assert values.shape == (5, 4, 3, 5)
    for voxel in np.ndindex(ids.shape):
        column = IDS.index(ids[voxel]) if ids[voxel] in IDS else None
        expected = np.zeros(5) if column is None else predicted[:, column]
        np.testing.assert_array_equal(values[voxel], expected)
    assert image.get_data_dtype() == np.float32
    np.testing.assert_array_equal(image.affine, AFFINE)
    assert image.header.get_sform(coded=True)[1] == 4
    assert image.header.get_zooms() == pytest.approx((3, 3, 4, 1.49))
    assert image.header.get_xyzt_units() == ("mm", "sec")


def test_an_image_that_lacks_targets_is_refused(run, tmp_path, sounds, checkpoint):
    image = nibabel.Nifti1Image(np.full((2, 2, 2), 5, dtype=np.int16), AFFINE)
    nibabel.save(image, tmp_path / "toy.targets.nii.gz")
    status, _, error = run(sounds, "--checkpoint", checkpoint, "-o", tmp_path / "p.h5", "--map")
    assert status == 1
    assert "lacks 2 of the read-out's 3 target ids: 2, 9 (0 is background)" in error
    assert not (tmp_path / "p.h5").exists()


def test_many_missing_targets_are_counted(tmp_path):
    image = nibabel.Nifti1Image(np.zeros((2, 2, 2), dtype=np.int16), AFFINE)
    nibabel.save(image, tmp_path / "image.nii")
    with pytest.raises(ValueError, match=r"lacks 50 .*: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 40 more"):
        TargetImage(tmp_path / "image.nii", range(50))


def test_more_trs_than_a_header_can_count(tmp_path, target_image):
    nibabel.save(target_image, tmp_path / "image.nii")
    image = TargetImage(tmp_path / "image.nii", IDS)
    with pytest.raises(ValueError, match=r"a map holds at most 32767 TRs, got 32768; leave out"):
        image.header(32_768, 1.49)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((2, 2, 2, 4), np.int16), r"has shape \(2, 2, 2, 4\), expected one volume"),
        (np.full((2, 2, 2), 5.5, np.float32), r"has values that are not whole numbers"),
        (None, r"cannot be read as an image"),
    ],
)
def test_what_is_no_image_of_target_ids(tmp_path, values, message):
    path = tmp_path / "image.nii.gz"
    if values is None:
        path.write_text("words")
    else:
        nibabel.save(nibabel.Nifti1Image(values, AFFINE), path)
    with pytest.raises(ValueError, match=message):
        TargetImage(path, IDS)


def test_float_images_with_nan_as_background(tmp_path):
    values = np.array([2, 5, np.nan, 9, 2, 0], dtype=np.float32).reshape(1, 2, 3)
    nibabel.save(nibabel.Nifti1Image(values, AFFINE), tmp_path / "image.nii.gz")
    image = TargetImage(tmp_path / "image.nii.gz", IDS)
    image.write_map(tmp_path / "map.nii.gz", np.array([[1.0, 2.0, 3.0]]), 1.49)
    written = nibabel.load(tmp_path / "map.nii.gz").get_fdata()[..., 0]
    np.testing.assert_array_equal(written, [[[1, 2, 0], [3, 1, 0]]])


def test_earlier_predictions_stay_without_force(run, tmp_path, sounds, checkpoint, target_image):
    out = tmp_path / "p.h5"
    nibabel.save(target_image, tmp_path / "toy.targets.nii.gz")
    for name in ("p.h5", "p.dog.nii.gz"):
        earlier = tmp_path / name
        earlier.write_text("earlier")
        status, _, error = run(sounds, "--checkpoint", checkpoint, "-o", out, "--map")
        assert status == 2
        assert f"{earlier} exists; use --force to overwrite" in error
        assert earlier.read_text() == "earlier"
        assert run(sounds, "--checkpoint", checkpoint, "-o", out, "--map", "--force")[0] == 0
        assert earlier.read_bytes() != b"earlier"
        out.unlink()


def test_a_file_that_cannot_be_read_does_not_stop_the_others(run, tmp_path, sounds, checkpoint):
    (sounds / "bad.wav").write_text("words")
    status, output, error = run(sounds, "--checkpoint", checkpoint, "-o", tmp_path / "p.h5")
    assert status == 1
    assert "2 of 3 files predicted" in output
    assert "bad.wav cannot be read as audio" in error
    assert "1 of 3 files could not be predicted" in error
    with h5py.File(tmp_path / "p.h5") as file:
        assert {"dog", "loud.dog"} < set(file)
        assert "bad" not in file


def test_nothing_is_written_where_no_file_can_be_read(run, tmp_path, checkpoint):
    (tmp_path / "bad.wav").write_text("words")
    status, output, error = run(
        tmp_path / "bad.wav", "--checkpoint", checkpoint, "-o", tmp_path / "new" / "p.h5"
    )
    assert (status, output) == (1, "")
    assert "1 of 1 files could not be predicted; " in error
    assert "p.h5 was not written" in error
    assert list((tmp_path / "new").iterdir()) == []


def test_an_interrupt_leaves_nothing(run, tmp_path, sounds, checkpoint, target_image, monkeypatch):
    """Ctrl-C in the second of two files; what stood under the name before is still there."""
    nibabel.save(target_image, tmp_path / "toy.targets.nii.gz")
    out = tmp_path / "p.h5"
    out.write_text("earlier")
    before = sorted(tmp_path.rglob("*"))
    calls = []

    def interrupted(*arguments, **options):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return predict_responses(*arguments, **options)

    monkeypatch.setattr(prediction, "predict_responses", interrupted)
    status, output, error = run(sounds, "--checkpoint", checkpoint, "-o", out, "--map", "--force")
    assert (status, output) == (130, "")
    assert "interrupted after 1 of 2 files; nothing was kept" in error
    assert sorted(tmp_path.rglob("*")) == before
    assert out.read_text() == "earlier"


def test_an_unwritable_place(run, sounds, checkpoint):
    status, _, error = run(sounds, "--checkpoint", checkpoint, "-o", "/proc/p.h5")
    assert status == 1
    assert "cannot write predictions to /proc/p.h5: " in error


def test_a_checkpoint_without_a_read_out(run, tmp_path, sounds):
    status, _, error = run(sounds, "-o", tmp_path / "p.h5")
    assert status == 1
    assert "checkpoint 'soundnet-natural-sounds' has no read-out to fMRI" in error
    assert "python -m training export" in error
    assert "hear-brainsoundnet convert IN OUT.safetensors --from brain-aligned-pt" in error


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--map"], r"--map shows one read-out and the checkpoint has sub-01, sub-02; choose one"),
        (["--subject", "sub-03"], r"--subject must be one of sub-01, sub-02, got 'sub-03'"),
        (
            ["--map", "--subject", "sub-01"],
            r"put it beside the checkpoint as .*several\.targets\.nii\.gz .*or give it with "
            r"--atlas FILE",
        ),
        (
            ["--map", "--subject", "sub-01", "--atlas", "nowhere.nii"],
            r"no such image of target ids: nowhere.nii",
        ),
        (["--atlas", "nowhere.nii"], r"--atlas is the image of --map, which was not asked for"),
        (["--start", "inf"], r"the start must be a finite number of seconds, got inf"),
        (["--n-trs", "0"], r"Invalid value for '--n-trs'"),
        (["--out", "p.csv"], r"--out must be the name of a file that ends in \.h5, got p\.csv"),
        (["--checkpoint", "nothing"], r"no checkpoint 'nothing'"),
    ],
)
def test_a_wrong_call_is_one_line_and_status_2(run, tmp_path, sounds, several, options, message):
    status, output, error = run(sounds, "--checkpoint", several, "-o", tmp_path / "p.h5", *options)
    assert (status, output) == (2, "")
    lines = [line for line in error.splitlines() if line.startswith("hear-brainsoundnet: ")]
    assert len(lines) == 1
    assert pytest.raises(ValueError, match=message).matches(ValueError(lines[0]))
    assert not (tmp_path / "p.h5").exists()


@pytest.mark.parametrize(("package", "options"), [("h5py", []), ("nibabel", ["--map"])])
def test_a_missing_package_is_named(
    run, tmp_path, sounds, checkpoint, monkeypatch, package, options
):
    (tmp_path / "toy.targets.nii.gz").touch()
    monkeypatch.setitem(sys.modules, package, None)
    status, _, error = run(sounds, "--checkpoint", checkpoint, "-o", tmp_path / "p.h5", *options)
    assert status == 1
    assert f"writing predictions needs {package}, which is not installed" in error
    assert 'pip install "hear-brainsoundnet[training]"' in error


def test_names_of_sounds(tmp_path):
    for name in ("a/x.wav", "a/y.wav", "a/y.flac", "b/c/x.wav", "b/target_ids.wav"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    def names(*paths):
        return [sound.name for sound in find_sounds([tmp_path / path for path in paths])]

    assert names("a") == ["x", "y.flac", "y.wav"]
    assert names("a", "b") == ["a.x", "a.y.flac", "a.y.wav", "b.c.x", "b.target_ids"]
    assert names("b/c", "a/x.wav") == ["b.c.x", "a.x"]
    assert names("b/target_ids.wav") == ["target_ids.wav"]
    assert names("a/x.wav", "a/x.wav") == ["x"]


def test_two_sounds_of_one_name_are_refused(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.wav").touch()
    (tmp_path / "a.x.wav").touch()
    with pytest.raises(ValueError, match=r"would both be called 'a\.x\.wav'; rename one of them"):
        find_sounds([tmp_path])


def test_a_name_that_is_no_text_is_spelled_out(tmp_path):
    path = tmp_path / "caf\udce9.wav"
    path.touch()
    assert [sound.name for sound in find_sounds([path])] == [r"caf\udce9"]
