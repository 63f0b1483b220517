/** Where this runs. Behaviour differs only where a platform forces it; each such place says why. */

/** True in workerd, Cloudflare's runtime: its user agent is fixed by the flag `global_navigator` (default since 2022-03-21). */
export const inWorkerd =
  typeof navigator === "object" && navigator.userAgent === "Cloudflare-Workers";
