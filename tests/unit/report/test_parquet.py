"""The Parquet table holds what the CSV holds, with its types, for any reader of the format."""

from __future__ import annotations

import io
from typing import Any

import pytest

from cementct.report.csv import columns
from cementct.report.parquet import ColumnType, column_type, encode_parquet

ROWS: list[dict[str, Any]] = [
    {
        "study": "one", "level": "L2", "label": 21, "treated": True, "complete": None,
        "cement_volume_ml": 5.4, "leak_diskal_n": 0, "compartment_epidural": "none-seen", "quality": "",
    },
    {"study": "zwei-ä", "level": None, "label": 101, "treated": False, "complete": True,
     "cement_volume_ml": None},
]  # fmt: skip


def read(data: bytes) -> Any:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is no dependency of this project")
    return parquet.read_table(io.BytesIO(data))


@pytest.mark.parametrize("count", [0, 1, 2, 9, 1000])
def test_arrow_reads_every_cell_back(count: int) -> None:
    rows = [ROWS[i % 2] for i in range(count)]
    table = read(encode_parquet(rows))
    assert table.column_names == ["study", *columns()]
    wanted = [{name: row.get(name) for name in table.column_names} for row in rows]
    assert table.to_pylist() == wanted


def test_types_do_not_hang_on_what_the_rows_hold() -> None:
    empty, full = read(encode_parquet([])), read(encode_parquet(ROWS))
    assert empty.schema.equals(full.schema)
    kinds = {
        name: str(empty.schema.field(name).type) for name in ("study", "label", "treated", "wedge_angle_deg")
    }
    assert kinds == {"study": "string", "label": "int64", "treated": "bool", "wedge_angle_deg": "double"}


def test_the_same_rows_give_the_same_bytes_framed_as_the_format_asks() -> None:
    data = encode_parquet(ROWS)
    assert data == encode_parquet(ROWS)
    assert (data[:4], data[-4:]) == (b"PAR1", b"PAR1")
    footer = int.from_bytes(data[-8:-4], "little")
    assert 0 < footer < len(data) - 12


def test_every_column_of_a_vertebra_is_of_the_type_that_it_is_declared_to_have() -> None:
    names = columns()
    assert {column_type(name) for name in names} == set(ColumnType)
    assert column_type("compartment_diskal_above") is ColumnType.TEXT
    assert column_type("leak_epidural_n") is ColumnType.WHOLE
    assert column_type("leak_epidural_ml") is ColumnType.REAL
