#!/usr/bin/env bash
# Installs the programs that later steps drive, where they are missing.
set -eu
declare -A package_of=(
  [curl]=curl [wget]=wget [aria2c]=aria2 [chromium]=chromium [rclone]=rclone [python3]=python3 [ps]=procps [od]=coreutils
)
missing=()
for program in "${!package_of[@]}"; do
  command -v "$program" >/dev/null || missing+=("${package_of[$program]}")
done
python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
if [ "${#missing[@]}" -gt 0 ]; then
  echo "installing: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
fi
for program in "${!package_of[@]}"; do
  command -v "$program" >/dev/null || { echo "$program is still missing" >&2; exit 1; }
done
