"""YAML of a catalogue: read by the C loader where there is one, checked by a model; every error is one sentence."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from ioc.catalog.sentences import sentence_of
from ioc.errors import ConfigurationError

__all__ = ["RepeatedKey", "composed", "parsed", "read_checked"]

# The same loader in C, where the package was built with it: a second less at every start.
_SafeLoader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_T = TypeVar("_T")


class RepeatedKey(yaml.YAMLError):
    """A mapping holds a key twice. YAML lets the last one win in silence: the first zone or camera would be gone.

    `place`: the keys above it, with dots, "" at the top; `line`: of the second one, from 1.
    """

    def __init__(self, place: str, key: str, line: int) -> None:
        super().__init__(f"{key} in line {line}")
        self.place, self.key, self.line = place, key, line


@lru_cache(maxsize=256)
def parsed(text: str) -> Any:
    """The content of a YAML text, remembered: several parts of one process load the same catalogue. Whoever takes it
    must not change it.

    Raises:
        RepeatedKey: a mapping holds a key twice.
        yaml.YAMLError: it is no YAML, or several documents.
    """
    loader = _SafeLoader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return None
        for repeated in _repeated_keys(root):
            raise repeated
        return loader.construct_document(root)
    finally:
        loader.dispose()


def _repeated_keys(root: yaml.Node) -> Iterator[RepeatedKey]:
    """Yields every key that its mapping holds already; a node with an anchor is seen once."""
    seen: set[int] = set()
    waiting: list[tuple[str, yaml.Node]] = [("", root)]
    while waiting:
        place, node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += [(place, item) for item in node.value]
        if not isinstance(node, yaml.MappingNode):
            continue
        keys: set[tuple[str, str]] = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in keys:
                    yield RepeatedKey(place, key.value, key.start_mark.line + 1)
                keys.add((key.tag, key.value))
                waiting.append((f"{place}.{key.value}" if place else key.value, value))


def composed(text: str) -> yaml.Node | None:
    """The nodes of a YAML text, with their lines; None where it is empty."""
    found: yaml.Node | None = yaml.compose(text, Loader=_SafeLoader)
    return found


def read_checked(path: Path, kind: type[_T]) -> _T:
    """Returns the content of a file as `kind`, a model or a container of models; an empty file is an empty mapping.

    Raises:
        ConfigurationError: the file is missing, can't be read, is no YAML, holds a key twice, or is not of that kind.
    """
    try:
        content = parsed(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(
            f"{path}: the file is missing; copy it from the starting catalogue (`ioc init`)"
        ) from None
    except OSError as error:
        raise ConfigurationError(f"{path} can't be read: {error.strerror}; mend its rights, or remove it") from None
    except RepeatedKey as error:
        under = f" under {error.place}" if error.place else ""
        raise ConfigurationError(
            f"{path}: {error.key}: written twice{under} (again in line {error.line}); give each a name of its own, or "
            "remove one"
        ) from None
    except RecursionError:
        raise ConfigurationError(f"{path} is nested too deeply; no file of a catalogue needs that") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    try:
        return TypeAdapter(kind).validate_python(content if content is not None else {})
    except ValidationError as error:
        raise ConfigurationError(f"{path}: {sentence_of(error)}") from None
