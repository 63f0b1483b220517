/** Writing XML: elements that escape what they hold. Reading is left to a library (`sources/s3/xml-answer.ts`). */

/** Markup that is escaped already. */
export interface Markup {
  readonly xml: string;
}

const escapes: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
};

/**
 * Escapes text for an element or attribute. Control characters become character references, as AWS writes them: a
 * carriage return would otherwise come back as a newline (XML 1.0 2.11). References below U+0020 are not well-formed
 * XML 1.0; clients that list such keys ask for `encoding-type=url`.
 */
function escapeXml(text: string): string {
  return text.replace(/[&<>"'\p{Cc}\ufffe\uffff]/gu, (character) => {
    const named = escapes[character];
    return named ?? `&#x${character.charCodeAt(0).toString(16)};`;
  });
}

/** One element holding text or other elements. The name is ours, never a client's. */
export function element(
  name: string,
  content: string | number | boolean | readonly Markup[] = [],
): Markup {
  const inner =
    typeof content === "object"
      ? content.map((child) => child.xml).join("")
      : escapeXml(String(content));
  return { xml: inner === "" ? `<${name}/>` : `<${name}>${inner}</${name}>` };
}

/** The element, or nothing where there is nothing to say. */
export function optionalElement(name: string, value: string | undefined): readonly Markup[] {
  return value === undefined ? [] : [element(name, value)];
}

/** The root element, in S3's namespace where asked, behind the XML declaration. */
export function xmlDocument(root: Markup, namespaced = false): string {
  const xml = namespaced
    ? root.xml.replace(/^<([A-Za-z]+)/, '<$1 xmlns="http://s3.amazonaws.com/doc/2006-03-01/"')
    : root.xml;
  return `<?xml version="1.0" encoding="UTF-8"?>\n${xml}`;
}
