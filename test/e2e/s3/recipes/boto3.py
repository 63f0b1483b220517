import boto3

s3 = boto3.client("s3", endpoint_url="https://edge.example")
s3.download_file("media", "ramp.bin", "ramp.bin")
