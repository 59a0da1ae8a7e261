// `If-None-Match` (RFC 9110, 13.1.2): weak comparison against a list of entity tags, or `*` for any.

const entry = /(?:W\/)?("[\x21\x23-\x7e\x80-\xff]*")/g

/** Whether the header names this entity tag. */
export function matchesAny(header: string, etag: string): boolean {
  if (header.trim() === "*") return true
  for (const [, tag] of header.matchAll(entry)) if (tag === etag) return true
  return false
}
