"""Contracts: what a department may rely on, written out of the catalogue. JSON Schema, columns of tables. Pure."""

from ioc.contracts.columns import ColumnDoc, template_columns
from ioc.contracts.samples import Samples
from ioc.contracts.schema import json_schema, openapi_components

__all__ = ["ColumnDoc", "Samples", "json_schema", "openapi_components", "template_columns"]
