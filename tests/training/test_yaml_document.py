"""YAML that is refused for what it would unfold to, before anything is made of it."""

from __future__ import annotations

import time

import pytest
import yaml

from training.config import Settings, read_recipe, validate
from training.yaml_document import DEEPEST, parse_yaml

# Nine aliases of nine aliases of ...: 9 ** 9 values, 6 GB, from 300 bytes.
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGES = "a: &a {x: 1}\n" + "".join(
    f"{name}: &{name} {{<<: [{', '.join([f'*{before}'] * 9)}]}}\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
# Deep by aliases alone: each list holds the one before.
CHAIN = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 2000))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, "unfolds to more than 100000 values"),
        (MERGES, "unfolds to more than 100000 values"),
        (CHAIN, "nested more than 50 deep"),
        ("[" * 200_000, "nested more than 50 deep"),
        ("- " * 20_000 + "x", "nested more than 50 deep"),
        ("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1), "nested more than 50 deep"),
        ("x" * (4 * 2**20 + 1), "bytes are too many"),
        ("a: &a {b: *a}", "the mapping in line 1 contains itself"),
        ("a: &a [1, [2, *a]]", "the list in line 1 contains itself"),
        ("a: 1\na: 2", "the key 'a' is repeated in line 2"),
        ("1: 2", "the key 1 in line 1 is not a string; put it in quotes"),
        ("? [a, b]\n: 1", "the key a list or mapping in line 1 is not a string"),
        (f"a: {2**63}", "the number 9223372036854775808 in line 1 has more than 64 bits"),
        (f"a: {'9' * 5000}", r"the number 9{30}\.\.\. in line 1 has more than 64 bits"),
        ("a: 2001-99-99", "month must be in 1..12"),
        ('a: !!python/object/apply:os.system ["true"]', "could not determine a constructor"),
        ("a: *b", "found undefined alias"),
        (b"a: \xff\xfe", "invalid start byte"),
    ],
)
def test_hostile_documents_are_refused_in_one_line_and_at_once(
    text: str | bytes, message: str
) -> None:
    began = time.process_time()
    with pytest.raises(ValueError, match=message) as caught:
        parse_yaml(text)
    assert "\n" not in str(caught.value)
    assert time.process_time() - began < 10  # seconds; unfolded they take hours or all memory


@pytest.mark.parametrize(
    "text",
    [
        "a: &base {x: 1, y: [1, 2.5, null, true]}\nb: {<<: *base, y: 3}\nc: *base",
        "[" * DEEPEST + "]" * DEEPEST,
        f"a: [{2**63 - 1}, -3, 0x10, 1_000]",
        "",
        "# nothing",
    ],
)
def test_ordinary_documents_are_what_yaml_makes_of_them(text: str) -> None:
    assert parse_yaml(text) == yaml.safe_load(text)


def test_other_encodings_of_unicode_are_read() -> None:
    assert parse_yaml("a: Hörer".encode("utf-16")) == {"a": "Hörer"}


class Recipe(Settings):
    n_trs: int = 1


def test_many_mistakes_are_one_short_line(tmp_path) -> None:
    path = tmp_path / "it.yaml"
    path.write_text("".join(f"{'k' * 1000}{i}: 1\n" for i in range(500)))
    with pytest.raises(ValueError, match=r"unknown key 'kkk.*; and 490 more") as caught:
        read_recipe(path, Recipe)
    assert len(str(caught.value)) < 2000


def test_changes_on_the_command_line_are_bounded_too() -> None:
    with pytest.raises(ValueError, match=r"the value is not YAML .*contains itself"):
        validate({}, Recipe, ["n_trs=&a [*a]"], source="it")
    with pytest.raises(ValueError, match="no setting lies 5000 keys deep"):
        validate({}, Recipe, ["a." * 5000 + "a=1"], source="it")
