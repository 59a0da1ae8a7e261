// What must be on the machine before anything can be installed, and the one sentence for each thing that is not.

const atLeast = (version, least) => {
  const [found, wanted] = [version, least].map((text) => text.split(".").map(Number))
  for (let i = 0; i < wanted.length; i++) {
    if ((found[i] ?? 0) !== wanted[i]) return (found[i] ?? 0) > wanted[i]
  }
  return true
}

/**
 * The sentences to print; none when everything is there. `answerOf(command, ...args)` runs a command and gives what it
 * printed, or undefined when there is no such command; `has(command)` only looks for it. Only the native stack needs
 * Java, Maven and pip.
 */
export const complaints = ({ nodeVersion, stack, answerOf, has }) => {
  const found = []
  if (!atLeast(nodeVersion, "20.19.0")) {
    found.push(`Node ${nodeVersion} is too old: both services need at least 20.19, so install a newer Node.`)
  }
  const engineAnswers = () => answerOf("docker", "version", "--format", "{{.Server.Version}}")?.match(/^\d/)
  if (stack === "external" || stack === "compose" || (stack !== "native" && engineAnswers())) return found
  const java = answerOf("java", "-version")?.match(/version "([\d.]+)/)?.[1]
  if (java === undefined) {
    found.push(
      "Java is missing: Kafka, Debezium and the schema registry run on it, so install a JRE, version 17 or newer.",
    )
  } else if (!atLeast(java, "17")) {
    found.push(
      `Java ${java} is too old: Kafka and the schema registry need 17, so put a newer one first on the PATH.`,
    )
  }
  if (!has("mvn")) {
    found.push(
      "Maven is missing: it fetches the jars of Kafka, Debezium and the registry, so install it (command: mvn).",
    )
  }
  if (!has("pip")) {
    found.push(
      "pip is missing: it fetches the cache server (Valkey), so install Python's pip (command: pip).",
    )
  }
  return found
}
