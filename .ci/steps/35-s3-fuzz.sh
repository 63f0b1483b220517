#!/usr/bin/env bash
# The S3 front against 100,000 mutated requests, other ones every day; `npm test` sends 4,000, always the same.
set -u
export S3_FUZZ_REQUESTS="${S3_FUZZ_REQUESTS:-100000}" S3_FUZZ_SEED="${S3_FUZZ_SEED:-$(date -u +%Y%m%d)}"
again="S3_FUZZ_REQUESTS=$S3_FUZZ_REQUESTS S3_FUZZ_SEED=$S3_FUZZ_SEED bash .ci/steps/35-s3-fuzz.sh"
echo "To repeat: $again"
npx --no vitest run --project node test/http/s3/fuzz.test.ts && exit
echo "failed: s3-fuzz, to repeat: $again"
exit 1
