#!/usr/bin/env bash
# Installs the S3 clients, pinned, where the system tests look for them.
set -eu
exec sh test/e2e/s3/setup.sh "${S3_CLIENTS:-.s3-clients}"
