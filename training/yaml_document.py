"""Untrusted YAML: plain values only, with a bounded expanded size.

A file of a few hundred bytes can contain itself, nest a million lists, or expand nested aliases
until memory is full. Its nodes are counted before anything is constructed.
"""

from __future__ import annotations

from typing import Any

import yaml

MOST_BYTES = 4 * 2**20
DEEPEST = 50
MOST_NODES = 100_000  # aliases count once per use
LARGEST_INTEGER = 2**63 - 1  # seeds and counts are 64 bits wide
MERGE = "tag:yaml.org,2002:merge"
TEXT = "tag:yaml.org,2002:str"


class _Loader(yaml.SafeLoader):
    """The safe loader, with bounded integers."""

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        text = self.construct_scalar(node)
        try:
            value = int(super().construct_yaml_int(node))
        except ValueError:  # more digits than Python accepts
            value = LARGEST_INTEGER + 1
        if abs(value) > LARGEST_INTEGER:
            raise ValueError(
                f"the number {text[:30]}{'...' if len(text) > 30 else ''} in line "
                f"{node.start_mark.line + 1} has more than 64 bits"
            )
        return value


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)


def parse_yaml(content: str | bytes) -> Any:
    """The value of a YAML document: mappings with string keys, lists, and scalars.

    Raises
    ------
    ValueError
        If it is not YAML, has other tags, a key that is not a string or is repeated, contains
        itself, or is too large; the message is one line without the name of the file.

    Examples
    --------
    >>> parse_yaml("split: {seed: 3}")
    {'split': {'seed': 3}}
    >>> parse_yaml("&a [*a]")
    Traceback (most recent call last):
    ...
    ValueError: the list in line 1 contains itself
    """
    if len(content) > MOST_BYTES:
        raise ValueError(f"{len(content)} bytes are too many, expected at most {MOST_BYTES}")
    try:
        loader = _Loader(content)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _Count().add(node, depth=1)
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except RecursionError as error:
        raise ValueError(f"it is nested more than {DEEPEST} deep") from error
    except (yaml.YAMLError, ValueError, TypeError, OverflowError, AttributeError) as error:
        raise ValueError(" ".join(str(error).split())) from error


class _Count:
    """Expanded number and depth of a document's nodes."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[int, int]] = {}
        self._open: set[int] = set()

    def add(self, node: yaml.Node, depth: int) -> tuple[int, int]:
        """Number and height of the nodes from this one down; rejects large or circular ones.

        Parameters
        ----------
        node : yaml.Node
            The same object for all its aliases.
        depth : int
            Its depth, 1 for the document.
        """
        if isinstance(node, yaml.ScalarNode):
            return 1, 0
        kind = "list" if isinstance(node, yaml.SequenceNode) else "mapping"
        line = node.start_mark.line + 1
        if id(node) in self._open:
            raise ValueError(f"the {kind} in line {line} contains itself")
        known = self._known.get(id(node))
        if depth + (known[1] if known else 0) > DEEPEST:
            raise ValueError(f"the {kind} in line {line} is nested more than {DEEPEST} deep")
        if known:
            return known
        self._open.add(id(node))
        children = node.value
        if isinstance(node, yaml.MappingNode):
            _check_keys(node)
            children = [each for pair in node.value for each in pair]
        total, height = 1, 0
        for child in children:
            n_below, below = self.add(child, depth + 1)
            total, height = total + n_below, max(height, below + 1)
            if total > MOST_NODES:
                raise ValueError(f"it unfolds to more than {MOST_NODES} values")
        self._open.discard(id(node))
        self._known[id(node)] = total, height
        return total, height


def _check_keys(node: yaml.MappingNode) -> None:
    seen: set[str] = set()
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if key.tag == MERGE:
            continue
        if not isinstance(key, yaml.ScalarNode) or key.tag != TEXT:
            text = key.value if isinstance(key, yaml.ScalarNode) else "a list or mapping"
            raise ValueError(
                f"the key {text[:60]} in line {line} is not a string; put it in quotes"
            )
        if key.value in seen:
            raise ValueError(f"the key {key.value[:60]!r} is repeated in line {line}")
        seen.add(key.value)
