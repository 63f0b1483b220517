#!/usr/bin/env bash
# Every test that drives programs of the system: curl, wget, aria2c, S3 clients, a browser.
exec npm run --silent test:system
