export AWS_ENDPOINT_URL_S3=https://edge.example
aws s3 ls s3://media/
aws s3 cp s3://media/ramp.bin ramp.bin
