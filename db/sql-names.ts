// Writes a name into a statement.

/** The name in quotes, so that it may have any character: `a"b` is written `"a""b"`. */
export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`
