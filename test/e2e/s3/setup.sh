#!/bin/sh
# Installs the S3 clients that s3-clients.system.test.ts drives: Python environments (boto3 and s3fs apart: together pip takes an
# ancient s3fs), moto, and the AWS SDK for JavaScript, pinned, into the folder given. rclone is the system's. Run again, it does nothing.
set -eu
folder=${1:?usage: setup.sh <folder>}
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
mkdir -p "$folder"
for name in boto3 s3fs moto; do
  if ! cmp -s "$here/requirements-$name.txt" "$folder/$name/installed.txt"; then
    python3 -m venv "$folder/$name"
    "$folder/$name/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements-$name.txt"
    cp "$here/requirements-$name.txt" "$folder/$name/installed.txt"
  fi
done
if ! [ -d "$folder/aws-sdk/node_modules/@aws-sdk/client-s3" ]; then
  mkdir -p "$folder/aws-sdk"
  cp "$here/aws-sdk.json" "$folder/aws-sdk/package.json"
  (cd "$folder/aws-sdk" && npm install --no-audit --no-fund --loglevel=error)
fi
