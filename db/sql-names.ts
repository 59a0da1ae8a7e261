// How a name is written in a statement.

/** The name as Postgres reads it, whatever characters it has: `a"b` is written `"a""b"`. */
export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`
