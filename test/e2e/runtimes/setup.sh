#!/bin/sh
# Installs Deno and Bun, pinned, for runtimes.system.test.ts, into the folder given. Run again, it does nothing.
set -eu
folder=${1:?usage: setup.sh <folder>}
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
mkdir -p "$folder"
if ! cmp -s "$here/runtimes.json" "$folder/package.json" || ! [ -e "$folder/node_modules/.bin/deno" ]; then
  cp "$here/runtimes.json" "$folder/package.json"
  (cd "$folder" && npm install --no-audit --no-fund --no-package-lock --loglevel=error)
fi
"$folder/node_modules/.bin/deno" --version
"$folder/node_modules/.bin/bun" --version
