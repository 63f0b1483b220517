/** Builds the Worker once before the end-to-end tests, so that they never run against an old one. */
import { buildWorker } from "../../../scripts/build.ts";

export default buildWorker;
