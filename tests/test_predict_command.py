"""`hear-brainsoundnet predict`: what it writes is whole, or is not there."""

import sys

import h5py
import nibabel
import numpy as np
import pytest
import soundfile
import torch
from small_encoder import AFFINE, IDS, NARROW, SCALE, assert_close, encoder_of, noise

from hear_brainsoundnet import prediction
from hear_brainsoundnet.card import Card
from hear_brainsoundnet.checkpoint import read_checkpoint, write_checkpoint
from hear_brainsoundnet.prediction import predict_responses


def write(path, *, names=("sub-01",), tr_sampling="interpolate"):
    encoder = encoder_of(tr_sampling, names=names)
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
    status, output, _ = run("predict", sounds, "--checkpoint", several, "-o", out)
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
    assert run("predict", sounds / "dog.wav", "--checkpoint", several, "-o", out, *options)[0] == 0
    encoder = read_checkpoint(several).build_encoder()
    expected = encoder(SCALE * noise(22_050 * 2), 9, start=0.5, name="sub-02")[0].detach()
    with h5py.File(out) as file:
        assert list(file["dog"]) == ["sub-02"]
        assert_close(torch.from_numpy(file["dog/sub-02/prediction"][()]), expected)
        assert file["dog/sub-02/prediction"].attrs["start"] == 0.5


def test_sound_responses_are_one_row_and_one_volume(run, tmp_path, sounds, target_image):
    checkpoint = write(tmp_path / "mean.safetensors", tr_sampling="mean")
    nibabel.save(target_image, tmp_path / "mean.targets.nii.gz")
    assert (
        run("predict", sounds, "--checkpoint", checkpoint, "-o", tmp_path / "p.h5", "--map")[0] == 0
    )
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
    assert run("predict", sounds, "--checkpoint", checkpoint, "-o", out, "--map", *options)[0] == 0
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


def test_maps_of_targets_on_a_surface_are_refused(run, tmp_path, sounds, checkpoint):
    (tmp_path / "toy.targets.dscalar.nii").touch()
    status, _, error = run(
        "predict", sounds, "--checkpoint", checkpoint, "-o", tmp_path / "p.h5", "--map"
    )
    assert status == 2
    assert "--map writes volumes, and the targets of this checkpoint lie on a surface" in error
    assert not (tmp_path / "p.h5").exists()


def test_earlier_predictions_stay_without_force(run, tmp_path, sounds, checkpoint, target_image):
    out = tmp_path / "p.h5"
    nibabel.save(target_image, tmp_path / "toy.targets.nii.gz")
    for name in ("p.h5", "p.dog.nii.gz"):
        earlier = tmp_path / name
        earlier.write_text("earlier")
        status, _, error = run("predict", sounds, "--checkpoint", checkpoint, "-o", out, "--map")
        assert status == 2
        assert f"{earlier} exists; use --force to overwrite" in error
        assert earlier.read_text() == "earlier"
        assert (
            run("predict", sounds, "--checkpoint", checkpoint, "-o", out, "--map", "--force")[0]
            == 0
        )
        assert earlier.read_bytes() != b"earlier"
        out.unlink()


def test_a_file_that_cannot_be_read_does_not_stop_the_others(run, tmp_path, sounds, checkpoint):
    (sounds / "bad.wav").write_text("words")
    status, output, error = run(
        "predict", sounds, "--checkpoint", checkpoint, "-o", tmp_path / "p.h5"
    )
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
        "predict", tmp_path / "bad.wav", "--checkpoint", checkpoint, "-o", tmp_path / "new" / "p.h5"
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
    status, output, error = run(
        "predict", sounds, "--checkpoint", checkpoint, "-o", out, "--map", "--force"
    )
    assert (status, output) == (130, "")
    assert "interrupted after 1 of 2 files; nothing was kept" in error
    assert sorted(tmp_path.rglob("*")) == before
    assert out.read_text() == "earlier"


def test_an_unwritable_place(run, sounds, checkpoint):
    status, _, error = run("predict", sounds, "--checkpoint", checkpoint, "-o", "/proc/p.h5")
    assert status == 1
    assert "cannot write predictions to /proc/p.h5: " in error


def test_a_checkpoint_without_a_read_out(run, tmp_path, sounds):
    status, _, error = run("predict", sounds, "-o", tmp_path / "p.h5")
    assert status == 1
    assert "checkpoint 'soundnet-distilled' has no read-out to fMRI" in error
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
            r"no such image: nowhere.nii",
        ),
        (["--atlas", "nowhere.nii"], r"--atlas is the image of --map, which was not asked for"),
        (["--start", "inf"], r"the start must be a finite number of seconds, got inf"),
        (["--n-trs", "0"], r"Invalid value for '--n-trs'"),
        (["--out", "p.csv"], r"--out must be the name of a file that ends in \.h5, got p\.csv"),
        (["--checkpoint", "nothing"], r"no checkpoint 'nothing'"),
    ],
)
def test_a_wrong_call_is_one_line_and_status_2(run, tmp_path, sounds, several, options, message):
    status, output, error = run(
        "predict", sounds, "--checkpoint", several, "-o", tmp_path / "p.h5", *options
    )
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
    status, _, error = run(
        "predict", sounds, "--checkpoint", checkpoint, "-o", tmp_path / "p.h5", *options
    )
    assert status == 1
    assert f"needs {package}, which is not installed" in error
    assert 'pip install "hear-brainsoundnet[training]"' in error
