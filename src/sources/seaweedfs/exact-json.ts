/**
 * JSON with integers beyond 2^53. Chunk times are nanoseconds (1.8e18): as doubles they collapse to multiples of 256,
 * and two overlapping writes become a tie. Such integers come back as strings of digits; nothing else changes. Pure.
 */

// A member name of letters and underscores directly after a quote cannot occur inside a JSON string: the quote that ends
// the name would be escaped there, with a backslash before it.
const largeInteger = /("[A-Za-z_]+":\s*)(-?\d{16,})(?=\s*[,}\]])/g;

/**
 * Parses JSON text; integers of 16 digits and more, where they are the value of a plainly named member, become strings.
 *
 * @throws SyntaxError for malformed text
 */
export function parseExactJson(text: string): unknown {
  return JSON.parse(text.replace(largeInteger, '$1"$2"'));
}
