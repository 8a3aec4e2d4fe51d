"""Packages are fetched once, verified, and unpacked in the cache only."""

from __future__ import annotations

import hashlib
import stat
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from training.corpus.debian import PackageEntry, choose, package_source, read_catalogue
from training.corpus.packages import Package, fetch, find_package, unpack, unzip
from training.corpus.speech import TextEntry, passages_of, read_texts


@pytest.fixture
def deb(tmp_path: Path) -> Path:
    """A package with a sound, its copy left out, a voice, and a zip file with another sound."""
    if not Path("/usr/bin/dpkg-deb").exists():
        pytest.skip("dpkg-deb is not installed")
    root = tmp_path / "root"
    sounds = root / "usr/share/game/sounds"
    (sounds / "voices").mkdir(parents=True)
    (root / "DEBIAN").mkdir()
    (root / "DEBIAN/control").write_text(
        "Package: game-data\nVersion: 1:2.0-1\nArchitecture: all\nMaintainer: nobody\n"
        "Description: sounds\n"
    )
    rng = np.random.default_rng(0)
    for name in ("bang.wav", "voices/hello.wav", "jingle.wav", "zipped.wav"):
        soundfile.write(sounds / name, 0.1 * rng.normal(size=8_000), 16_000)
    with zipfile.ZipFile(sounds / "pak0.pk3", "w") as pack:
        pack.write(sounds / "zipped.wav", "sound/zipped.wav")
        pack.writestr("../CREDITS", "names")
    (sounds / "zipped.wav").unlink()
    path = tmp_path / "made.deb"
    subprocess.run(["dpkg-deb", "--build", root, path], check=True, capture_output=True)
    return path


@pytest.fixture
def apt(deb: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on PATH with an apt that knows the package and counts how often it is fetched."""
    programs = tmp_path / "bin"
    programs.mkdir()
    sha256 = hashlib.sha256(deb.read_bytes()).hexdigest()
    show = f"Package: game-data\\nVersion: 1:2.0-1\\nArchitecture: all\\nSHA256: {sha256}\\n"
    scripts = {
        "apt-cache": f'[ "$3" = game-data ] && printf "{show}" || exit 100',
        "apt-get": f"echo fetched >> {programs}/log; cp {deb} game-data_1%3a2.0-1_all.deb",
    }
    for name, script in scripts.items():
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    return programs


ENTRY = PackageEntry(
    names=("game-2-data", "game-data"),
    licence="GPL-2+",
    kind="effects",
    kinds={"*/voices/*": "speech"},
    leave={"*/jingle.wav": "unclear licence"},
)


def test_package_is_fetched_once_and_listed(apt: Path, tmp_path: Path) -> None:
    source = package_source(ENTRY, tmp_path / "cache")
    again = package_source(ENTRY, tmp_path / "cache")
    assert source == again
    assert (apt / "log").read_text() == "fetched\n"
    assert (source.name, source.version) == ("game-data", "1:2.0-1")
    assert {Path(each.name).name: each.kind for each in source.files} == {
        "bang.wav": "effects",
        "hello.wav": "speech",
        "zipped.wav": "effects",
    }
    (left_out,) = source.left_out
    assert left_out.reason == "unclear licence"


def test_damaged_package_in_the_cache_is_fetched_again(apt: Path, tmp_path: Path) -> None:
    package = find_package(["game-data"])
    deb = fetch(package, tmp_path / "cache")
    deb.write_bytes(deb.read_bytes()[:-100])
    assert fetch(package, tmp_path / "cache") == deb
    assert hashlib.sha256(deb.read_bytes()).hexdigest() == package.sha256
    assert (apt / "log").read_text() == "fetched\n" * 2


def test_wrong_checksum_is_refused(apt: Path, tmp_path: Path) -> None:
    package = Package("game-data", "1:2.0-1", "all", "0" * 64)
    with pytest.raises(ValueError, match=r"does not match apt.s checksum"):
        fetch(package, tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*.deb"))


def test_failed_download_is_one_line(apt: Path, tmp_path: Path) -> None:
    (apt / "apt-get").write_text("#!/bin/sh\necho 'E: Could not resolve host' >&2; exit 100\n")
    with pytest.raises(OSError, match=r"cannot be fetched \(E: Could not resolve host\); check"):
        fetch(find_package(["game-data"]), tmp_path / "cache")


def test_unknown_package_is_named(apt: Path) -> None:
    with pytest.raises(ValueError, match="apt knows no package nothing-like-it or nor-this"):
        find_package(["nothing-like-it", "nor-this"])
    with pytest.raises(ValueError, match="is not the name of a Debian package"):
        find_package(["--option"])


def test_missing_apt_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OSError, match="apt-cache is missing: packages are fetched on Debian"):
        find_package(["game-data"])


def test_damaged_package_cannot_be_unpacked(tmp_path: Path) -> None:
    (tmp_path / "bad.deb").write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"bad\.deb cannot be unpacked"):
        unpack(tmp_path / "bad.deb")
    assert not list((tmp_path / "unpacked").iterdir())


@pytest.mark.parametrize("name", ["../out.wav", "/tmp/out.wav", "a/../../out.wav", "..\\out.wav"])
def test_archives_never_write_outside_their_folder(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "pak.pk3", "w") as pack:
        pack.writestr("in.wav", b"")
        pack.writestr(name, b"")
    with pytest.raises(ValueError, match="has a file outside its folder"):
        unzip(tmp_path / "pak.pk3", tmp_path / "deep" / "target")
    assert sorted(each.name for each in tmp_path.rglob("*")) == ["pak.pk3"]


def test_catalogue_names_every_package_once_and_no_forbidden_licence() -> None:
    names = [name for entry in read_catalogue() for name in entry.names]
    assert len(names) == len(set(names)) > 30
    licences = [
        licence
        for entry in read_catalogue()
        for licence in (entry.licence, *entry.licences.values())
    ] + [entry.licence for entry in read_texts()]
    for licence in licences:
        assert licence
        assert not {"NC", "ND"} & set(licence.replace(",", " ").replace("-", " ").split())


def test_packages_are_chosen_by_name() -> None:
    (chosen,) = choose(read_catalogue(), ["wesnoth-1.16-music"])
    assert "wesnoth-1.18-music" in chosen.names
    assert len(choose(read_catalogue(), [])) == len(read_catalogue())
    with pytest.raises(ValueError, match=r"nosuch: not in packages\.toml; known are 0ad-data, "):
        choose(read_catalogue(), ["nosuch"])


def test_passages_are_sayings_of_some_length_or_words(tmp_path: Path) -> None:
    sayings = tmp_path / "usr/share/games/fortunes/de"
    sayings.mkdir(parents=True)
    good = "Ein Spruch, der lang genug ist,\num vorgelesen zu werden."
    (sayings / "sprueche").write_text(f"kurz\n%\n{good}\n%\n{'zu lang ' * 100}\n")
    (sayings / "sprueche.dat").write_bytes(b"\x00\xff")
    entry = TextEntry(names=("sayings",), language="de", licence="MIT")
    assert passages_of(entry, tmp_path) == [good.replace("\n", " ")]
    words = tmp_path / "words/usr/share/dict"
    words.mkdir(parents=True)
    (words / "swedish").write_bytes("blå\nöl\nd'or\n".encode("latin-1"))
    assert passages_of(entry, tmp_path / "words") == ["blå", "öl"]
    with pytest.raises(ValueError, match="sayings has no text"):
        passages_of(entry, words)
