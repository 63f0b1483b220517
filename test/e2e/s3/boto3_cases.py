"""Cases that boto3 is put through; the name of one is the first argument. Each fails by an exception."""

import hashlib
import json
import sys
import urllib.error
import urllib.request

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

case, base, key, size, sha256 = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5]
s3 = boto3.client("s3", endpoint_url=base)


def ramp(start, end):
    return bytes(i % 251 for i in range(start, end))


def digest(chunks):
    hashed = hashlib.sha256()
    for chunk in chunks:
        hashed.update(chunk)
    return hashed.hexdigest()


def get_object():
    answer = s3.get_object(Bucket="media", Key=key)
    assert answer["ContentLength"] == size, answer
    assert digest(answer["Body"].iter_chunks(1 << 20)) == sha256


def download_file():
    config = TransferConfig(multipart_threshold=1 << 20, multipart_chunksize=8 << 20, max_concurrency=8)
    s3.download_file("media", key, "downloaded", Config=config)
    with open("downloaded", "rb") as file:
        assert digest(iter(lambda: file.read(1 << 20), b"")) == sha256


def head_object():
    answer = s3.head_object(Bucket="media", Key=key)
    assert answer["ContentLength"] == size
    assert answer["ETag"] and answer["LastModified"] and answer["AcceptRanges"] == "bytes"


def paginator():
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket="media", Prefix="many/", PaginationConfig={"PageSize": 7}
    )
    listed = [(entry["Key"], entry["Size"]) for page in pages for entry in page.get("Contents", [])]
    assert listed == [(f"many/{i:02} +%é&<>.bin", i) for i in range(25)], listed
    rolled = s3.list_objects_v2(Bucket="media", Delimiter="/")
    assert {prefix["Prefix"] for prefix in rolled["CommonPrefixes"]} >= {"many/"}, rolled
    first = s3.list_objects(Bucket="media", Prefix="many/", MaxKeys=3)
    second = s3.list_objects(Bucket="media", Prefix="many/", MaxKeys=3, Marker=first["NextMarker"])
    assert [entry["Size"] for entry in first["Contents"] + second["Contents"]] == list(range(6))


def odd_keys():
    for i in range(25):
        body = s3.get_object(Bucket="media", Key=f"many/{i:02} +%é&<>.bin")["Body"].read()
        assert body == ramp(0, i), i


def presigned_url():
    # In us-east-1 botocore still presigns by Signature Version 2; in "auto", or told so, by Version 4.
    auto = boto3.client("s3", endpoint_url=base, region_name="auto")
    v4 = Config(signature_version="s3v4")
    told = boto3.client("s3", endpoint_url=base, region_name="us-east-1", config=v4)
    for client in (auto, told):
        url = client.generate_presigned_url("get_object", Params={"Bucket": "media", "Key": key}, ExpiresIn=60)
        with urllib.request.urlopen(url) as answer:
            assert digest(iter(lambda: answer.read(1 << 20), b"")) == sha256
    override = {"Bucket": "media", "Key": key, "ResponseContentType": "text/x-odd"}
    signed = auto.generate_presigned_url("get_object", Params=override, ExpiresIn=60)
    with urllib.request.urlopen(urllib.request.Request(signed, headers={"Range": "bytes=0-9"})) as answer:
        assert answer.headers["Content-Type"] == "text/x-odd"
        assert answer.read() == ramp(0, 10)


def presigned_by_version_2():
    old = boto3.client("s3", endpoint_url=base, region_name="us-east-1")
    url = old.generate_presigned_url("get_object", Params={"Bucket": "media", "Key": key}, ExpiresIn=60)
    assert "AWSAccessKeyId=" in url, url
    try:
        urllib.request.urlopen(url)
    except urllib.error.HTTPError as error:
        assert error.code == 400 and b"Signature Version 2 is not supported" in error.read()
    else:
        raise AssertionError("answered")


def ranged_body():
    body = s3.get_object(Bucket="media", Key=key, Range="bytes=1000003-3000002")["Body"]
    first = body.read(70_001)
    assert first + body.read() == ramp(1_000_003, 3_000_003)
    tail = s3.get_object(Bucket="media", Key=key, Range="bytes=-5")["Body"].read()
    assert tail == ramp(size - 5, size)


def buckets():
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["media"]
    s3.head_bucket(Bucket="media")
    assert s3.get_bucket_location(Bucket="media")["LocationConstraint"] is None


def errors():
    def code(call, **arguments):
        try:
            call(Bucket="media", **arguments)
        except ClientError as error:
            return error.response["Error"]["Code"]
        return "none"

    got = [
        code(s3.get_object, Key="nowhere"),
        code(s3.head_object, Key="nowhere"),
        code(s3.get_object, Key=key, Range=f"bytes={size}-"),
        code(s3.get_object, Key=key, IfMatch='"no"'),
        code(s3.put_object, Key="new", Body=b"x"),
        code(s3.delete_object, Key=key),
        code(s3.create_multipart_upload, Key="new"),
        code(s3.get_object_acl, Key=key),
        code(s3.list_object_versions),
    ]
    expected = ["NoSuchKey", "404", "InvalidRange", "PreconditionFailed"]
    expected += ["MethodNotAllowed"] * 3 + ["NotImplemented"] * 2
    # botocore sends bodies aws-chunked where it adds a checksum: that is refused by its name.
    assert got == expected or got == expected[:4] + ["NotImplemented"] + expected[5:], got
    wrong = boto3.client("s3", endpoint_url=base, aws_access_key_id="local", aws_secret_access_key="x")
    assert code(wrong.get_object, Key=key) == "SignatureDoesNotMatch"


globals()[case]()
print(json.dumps({"case": case, "boto3": boto3.__version__}))
