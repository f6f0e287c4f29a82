"""The shipped catalogue, loaded once."""

import pytest

from ioc.catalog import Catalog, load_catalog
from ioc.cli.init import SHIPPED


@pytest.fixture(scope="package")
def catalog() -> Catalog:
    return load_catalog(SHIPPED)
