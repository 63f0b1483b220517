/**
 * Content-Type by extension, for objects whose store has none. A small table of what is downloaded and played; anything
 * else is `application/octet-stream`. It never overrules a store.
 */

const types: Readonly<Record<string, string>> = {
  "7z": "application/x-7z-compressed",
  aac: "audio/aac",
  apk: "application/vnd.android.package-archive",
  avif: "image/avif",
  bmp: "image/bmp",
  bz2: "application/x-bzip2",
  css: "text/css; charset=utf-8",
  csv: "text/csv; charset=utf-8",
  deb: "application/vnd.debian.binary-package",
  dmg: "application/x-apple-diskimage",
  epub: "application/epub+zip",
  flac: "audio/flac",
  geojson: "application/geo+json",
  gif: "image/gif",
  gz: "application/gzip",
  htm: "text/html; charset=utf-8",
  html: "text/html; charset=utf-8",
  ico: "image/x-icon",
  iso: "application/x-iso9660-image",
  jar: "application/java-archive",
  jpeg: "image/jpeg",
  jpg: "image/jpeg",
  js: "text/javascript; charset=utf-8",
  json: "application/json",
  jsonl: "application/jsonl",
  m3u8: "application/vnd.apple.mpegurl",
  m4a: "audio/mp4",
  m4s: "video/iso.segment",
  m4v: "video/mp4",
  md: "text/markdown; charset=utf-8",
  mjs: "text/javascript; charset=utf-8",
  mkv: "video/x-matroska",
  mov: "video/quicktime",
  mp3: "audio/mpeg",
  mp4: "video/mp4",
  mpd: "application/dash+xml",
  mpeg: "video/mpeg",
  oga: "audio/ogg",
  ogg: "audio/ogg",
  ogv: "video/ogg",
  opus: "audio/ogg",
  otf: "font/otf",
  parquet: "application/vnd.apache.parquet",
  pdf: "application/pdf",
  pmtiles: "application/vnd.pmtiles",
  png: "image/png",
  rar: "application/vnd.rar",
  rpm: "application/x-rpm",
  rtf: "application/rtf",
  svg: "image/svg+xml",
  tar: "application/x-tar",
  tgz: "application/gzip",
  tif: "image/tiff",
  tiff: "image/tiff",
  ts: "video/mp2t",
  ttf: "font/ttf",
  txt: "text/plain; charset=utf-8",
  vtt: "text/vtt; charset=utf-8",
  wasm: "application/wasm",
  wav: "audio/wav",
  weba: "audio/webm",
  webm: "video/webm",
  webp: "image/webp",
  woff: "font/woff",
  woff2: "font/woff2",
  xml: "application/xml",
  xz: "application/x-xz",
  zip: "application/zip",
  zst: "application/zstd",
};

/** The media type for a key's extension, compared without case; `application/octet-stream` where it says nothing. */
export function contentTypeOf(key: string): string {
  const name = key.slice(key.lastIndexOf("/") + 1);
  const dot = name.lastIndexOf(".");
  // A leading dot starts a hidden file's name, not an extension.
  const extension = dot > 0 ? name.slice(dot + 1).toLowerCase() : "";
  return (Object.hasOwn(types, extension) && types[extension]) || "application/octet-stream";
}

// Types that Cloudflare's front, and `wrangler dev` in its stead, compresses when the client accepts it:
// https://developers.cloudflare.com/speed/optimization/content/compression/ (text, fonts, and these).
const compressible =
  /^(?:text\/|font\/(?:ttf|otf|x-woff)|multipart\/(?:bag|mixed)|image\/(?:svg\+xml|x-icon|vnd\.microsoft\.icon)|application\/(?:.*\+(?:json|xml)|(?:x-)?javascript|javascript-binast|json|xml|wasm|x-perl|x-httpd-cgi|x-protobuf|vnd\.ms-fontobject|(?:x-)?(?:ttf|otf|truetype|opentype)|font.*|eot))/i;

/** Whether something between the Worker and the client would compress an answer of this type. */
export function isCompressible(contentType: string): boolean {
  return compressible.test(contentType);
}
