#!/usr/bin/env bash
# Installs the other runtimes, pinned, where the system tests look for them.
set -eu
exec sh test/e2e/runtimes/setup.sh "${RUNTIMES:-.runtimes}"
