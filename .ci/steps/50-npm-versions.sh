#!/usr/bin/env bash
# The lock file is whole for the npm of Node 20 and 22, and for newer ones (each judges lock files by its own rules).
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for version in 10 11 12; do
  mkdir "$folder/$version"
  cp package.json package-lock.json "$folder/$version/"
  # What npx warns of is not about the lock file; it shows when npm refuses.
  (cd "$folder/$version" && npx --yes "npm@$version" ci --dry-run --ignore-scripts --no-audit --no-fund >npm.log 2>&1) ||
    { cat "$folder/$version/npm.log"; exit 1; }
  echo "npm $version accepts the lock file"
done
