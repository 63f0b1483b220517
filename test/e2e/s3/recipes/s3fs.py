import pyarrow.parquet, s3fs

edge = s3fs.S3FileSystem(endpoint_url="https://edge.example")
column = pyarrow.parquet.read_table("media/table.parquet", filesystem=edge, columns=["name"])
