/** Which answers something between the Worker and the client would compress. Pure. */

// Types that Cloudflare's front, and `wrangler dev` in its stead, compresses when the client accepts it:
// https://developers.cloudflare.com/speed/optimization/content/compression/ (text, fonts, and these).
const compressible =
  /^(?:text\/|font\/(?:ttf|otf|x-woff)|multipart\/(?:bag|mixed)|image\/(?:svg\+xml|x-icon|vnd\.microsoft\.icon)|application\/(?:.*\+(?:json|xml)|(?:x-)?javascript|javascript-binast|json|xml|wasm|x-perl|x-httpd-cgi|x-protobuf|vnd\.ms-fontobject|(?:x-)?(?:ttf|otf|truetype|opentype)|font.*|eot))/i;

/** Whether something between the Worker and the client would compress an answer of this type. */
export function isCompressible(contentType: string): boolean {
  return compressible.test(contentType);
}
