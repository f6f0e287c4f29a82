"""YAML of a catalogue: read by the C loader where there is one, checked by a model; every error is one sentence."""

from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from ioc.catalog.sentences import sentence_of
from ioc.errors import ConfigurationError

__all__ = ["composed", "parsed", "read_checked"]

# The same loader in C, where the package was built with it: a second less at every start.
_SafeLoader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_T = TypeVar("_T")


@lru_cache(maxsize=256)
def parsed(text: str) -> Any:
    """The content of a YAML text, remembered: several parts of one process load the same catalogue. Whoever takes it
    must not change it."""
    return yaml.load(text, Loader=_SafeLoader)  # noqa: S506  (both are safe loaders)


def composed(text: str) -> yaml.Node | None:
    """The nodes of a YAML text, with their lines; None where it is empty."""
    found: yaml.Node | None = yaml.compose(text, Loader=_SafeLoader)
    return found


def read_checked(path: Path, kind: type[_T]) -> _T:
    """Returns the content of a file as `kind`, a model or a container of models; an empty file is an empty mapping.

    Raises:
        ConfigurationError: the file is missing, can't be read, is no YAML, or not of that kind.
    """
    try:
        content = parsed(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(
            f"{path}: the file is missing; copy it from the starting catalogue (`ioc init`)"
        ) from None
    except OSError as error:
        raise ConfigurationError(f"{path} can't be read: {error.strerror}; mend its rights, or remove it") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    try:
        return TypeAdapter(kind).validate_python(content if content is not None else {})
    except ValidationError as error:
        raise ConfigurationError(f"{path}: {sentence_of(error)}") from None
