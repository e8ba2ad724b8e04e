"""Reads Parquet files for the tests: a path a line on its input, a JSON document a line on its output, of what pyarrow and
DuckDB find in the file. `look FOLDER` is answered with what they find in each file below it at this moment, and
`rows FOLDER` with all rows of a table's, by their `_seq`. Cells are printed as parquet-cells.ts says."""

import json
import math
import struct
import sys

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq


def float_cell(value):
    return "NaN" if math.isnan(value) else struct.pack(">d", value).hex()


def uuid_cell(value):
    digits = value.hex()
    return "-".join([digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]])


def each(array, make):
    return [None if value is None else make(value) for value in array.to_pylist()]


def cells(array):
    kind = array.type
    if isinstance(kind, pa.ExtensionType):
        storage = array.storage
        return each(storage, uuid_cell) if kind.extension_name == "arrow.uuid" else cells(storage)
    if pa.types.is_struct(kind):
        fields = [(kind.field(i).name, cells(child)) for i, child in enumerate(array.flatten())]
        return [{name: of[row] for name, of in fields} if valid else None for row, valid in enumerate(array.is_valid().to_pylist())]
    if pa.types.is_list(kind):
        return array.to_pylist()
    if pa.types.is_boolean(kind):
        return each(array, lambda value: "true" if value else "false")
    if pa.types.is_floating(kind):
        return each(array, float_cell)
    if pa.types.is_decimal(kind):
        return each(array, lambda value: format(value, "f"))
    if pa.types.is_date32(kind):
        return each(array.cast(pa.int32()), str)
    if pa.types.is_time64(kind) or pa.types.is_timestamp(kind):
        return each(array.cast(pa.int64()), str)
    if pa.types.is_fixed_size_binary(kind):
        # A uuid, where the Arrow type that stands for it is not made.
        return each(array, uuid_cell)
    if pa.types.is_binary(kind):
        return each(array, bytes.hex)
    return each(array, str)


def columns(table):
    return [cells(column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)) for column in table.columns]


def leaf(column):
    return {
        "path": column.path,
        "physical": column.physical_type,
        "logical": json.loads(column.logical_type.to_json()),
    }


def field_ids(field):
    ids = {field.name: (field.metadata or {}).get(b"PARQUET:field_id", b"").decode()}
    if pa.types.is_struct(field.type):
        for i in range(field.type.num_fields):
            ids |= {f"{field.name}.{name}": of for name, of in field_ids(field.type.field(i)).items()}
    return ids


def read(path):
    file = pq.ParquetFile(path)
    schema = file.schema_arrow
    quoted = path.replace("'", "''")
    return {
        "rows": file.metadata.num_rows,
        "rowGroups": file.metadata.num_row_groups,
        "createdBy": file.metadata.created_by,
        "metadata": {key.decode(): value.decode() for key, value in (file.metadata.metadata or {}).items()},
        "leaves": [leaf(file.schema.column(i)) for i in range(len(file.schema.names))],
        "types": [str(field.type) for field in schema],
        "required": [not field.nullable for field in schema],
        "fieldIds": {name: of for field in schema for name, of in field_ids(field).items()},
        "pyarrow": columns(file.read()),
        "duckdb": columns(duckdb.sql(f"SELECT * FROM read_parquet('{quoted}')").to_arrow_table()),
    }


def plain_glob(folder):
    quoted = folder.replace("'", "''")
    return f"read_parquet('{quoted}/**/*.parquet', union_by_name = true, filename = true)"


def look(folder):
    """Of each file the rows, and something that every cell has a part in."""
    found = duckdb.sql(f"SELECT filename, count(*), sum(length(t::VARCHAR)) FROM {plain_glob(folder)} t GROUP BY filename")
    fragments = [(of.path, of.to_table()) for of in ds.dataset(folder, format="parquet").get_fragments()]
    return {
        "duckdb": {path: [rows, int(size)] for path, rows, size in found.fetchall()},
        "pyarrow": {path: [table.num_rows, table.nbytes] for path, table in fragments},
    }


def described(table):
    return {
        "names": table.column_names,
        "types": [str(field.type) for field in table.schema],
        "cells": columns(table),
    }


def rows(folder):
    quoted = folder.replace("'", "''")
    glob = f"read_parquet('{quoted}/**/*.parquet', hive_partitioning = false)"
    return {
        "duckdb": {
            **described(duckdb.sql(f"SELECT * FROM {glob} ORDER BY _seq").to_arrow_table()),
            "types": [str(kind) for kind in duckdb.sql(f"SELECT * FROM {glob}").types],
        },
        "pyarrow": described(ds.dataset(folder, format="parquet").to_table().sort_by("_seq")),
        # What pandas calls.
        "wholeFolder": pq.read_table(folder).num_rows,
    }


REQUESTS = {"look": look, "rows": rows}


def answer(line):
    word, _, folder = line.partition(" ")
    return REQUESTS[word](folder) if word in REQUESTS else read(line)


duckdb.sql("SET TimeZone = 'UTC'")
for line in sys.stdin:
    print(json.dumps(answer(line.rstrip("\n"))), flush=True)
