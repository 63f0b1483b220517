/** One answer of the filer for a directory, `Accept: application/json`: part of its entries, by name. Pure. */
import { ReadaheadError } from "../../errors.ts";
import { parseFields, textField } from "./field.ts";

/** The entries as they came; each is judged by whoever wants it. */
export interface ListingPage {
  readonly values: readonly unknown[];
  /** The last name of the page, where the next one starts. */
  readonly last: string;
  readonly more: boolean;
  /** Length of the answer. */
  readonly characters: number;
}

/** @throws ReadaheadError `protocol` for anything else: where a file lies, a filer answers with its bytes */
export function parseListingPage(text: string): ListingPage {
  const fields = parseFields(text, "filer's listing");
  const values = fields["Entries"] ?? [];
  if (!Array.isArray(values))
    throw new ReadaheadError("protocol", "The filer's listing is no list");
  return {
    values,
    last: textField(fields, "LastFileName"),
    more: fields["ShouldDisplayLoadMore"] === true,
    characters: text.length,
  };
}
