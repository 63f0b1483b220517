"""Cases for fsspec and Arrow; `make` writes the table that the others read through the endpoint."""

import sys

import pyarrow
import pyarrow.fs
import pyarrow.parquet

case, base = sys.argv[1], sys.argv[2]
rows = 400_000
table = pyarrow.table(
    {
        "id": pyarrow.array(range(rows)),
        "name": pyarrow.array([f"row {i * 7919 % rows}" for i in range(rows)]),
        "value": pyarrow.array([(i * 2654435761 % 4294967296) / 7 for i in range(rows)]),
    }
)


def make():
    pyarrow.parquet.write_table(table, "table.parquet", row_group_size=50_000, compression="none")


def s3fs_column():
    import s3fs

    edge = s3fs.S3FileSystem(endpoint_url=base)
    size = edge.info("media/table.parquet")["size"]
    read = pyarrow.parquet.read_table("media/table.parquet", filesystem=edge, columns=["name"])
    assert read["name"].equals(table["name"])
    fetched = 0
    original = s3fs.S3File._fetch_range

    def counting(self, start, end):
        nonlocal fetched
        data = original(self, start, end)
        fetched += len(data)
        return data

    s3fs.S3File._fetch_range = counting
    with edge.open("media/table.parquet", "rb", cache_type="none") as file:
        group = pyarrow.parquet.ParquetFile(file).read_row_group(3, columns=["id"])
    assert group["id"].to_pylist() == list(range(150_000, 200_000))
    assert 0 < fetched < size / 4, (fetched, size)
    assert sorted(edge.ls("media/many"))[3] == "media/many/03 +%é&<>.bin"
    assert edge.cat_file("media/ramp.bin", start=1000, end=1010) == bytes(i % 251 for i in range(1000, 1010))


def arrow_column():
    scheme, _, host = base.partition("://")
    edge = pyarrow.fs.S3FileSystem(endpoint_override=host, scheme=scheme, region="us-east-1")
    read = pyarrow.parquet.read_table("media/table.parquet", filesystem=edge, columns=["value"])
    assert read["value"].equals(table["value"])
    names = [info.path for info in edge.get_file_info(pyarrow.fs.FileSelector("media/many"))]
    assert len(names) == 25, names


globals()[case]()
