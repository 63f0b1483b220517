/** Placeholder. */
export interface Budget {
  readonly held: number;
}
