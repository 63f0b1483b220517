#!/usr/bin/env bash
# A short benchmark that fails only on gross regressions of ratios.
exec npm run --silent bench:quick
