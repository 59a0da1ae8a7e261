// The programs that must be on the machine before anything can be installed, and the sentence for each missing one.

/**
 * The sentences to print; none when everything is there. `answerOf(command, ...args)` runs a command and gives what it
 * printed, or undefined when there is no such command; `has(command)` only looks for it. Only the native stack, which is
 * the default, needs Java, Maven and pip; where they are missing and Docker answers, the last sentence names containers.
 */
export function complaints({ nodeVersion, stack = "native", answerOf, has }) {
  const found = []
  if (!atLeast(nodeVersion, "20.19.0")) {
    found.push(`Node ${nodeVersion} is too old: both services need at least 20.19, so install a newer Node.`)
  }
  const engineAnswers = () => answerOf("docker", "version", "--format", "{{.Server.Version}}")?.match(/^\d/)
  if (stack === "compose" && !engineAnswers()) {
    found.push("No container engine answers: start Docker, or leave STACK=compose away.")
  }
  if (stack !== "native") return found
  const missing = nativeComplaints(answerOf, has)
  if (missing.length > 0 && engineAnswers()) {
    missing.push("Docker answers here: with STACK=compose before the command none of these is needed.")
  }
  return [...found, ...missing]
}

function nativeComplaints(answerOf, has) {
  const found = []
  const java = answerOf("java", "-version")?.match(/version "([\d.]+)/)?.[1]
  if (java === undefined) {
    found.push(
      "Java is missing: Kafka, Debezium and the schema registry run on it, so install a JRE, version 17 or newer (Debian, Ubuntu: openjdk-17-jre-headless).",
    )
  } else if (!atLeast(java, "17")) {
    found.push(
      `Java ${java} is too old: Kafka and the schema registry need 17, so put a newer JRE first on the PATH (Debian, Ubuntu: openjdk-17-jre-headless).`,
    )
  }
  if (!has("mvn")) {
    found.push(
      "Maven is missing: it fetches the jars of Kafka, Debezium and the registry, so install it (command: mvn; Debian, Ubuntu: maven).",
    )
  }
  if (!has("pip")) {
    found.push(
      "pip is missing: it fetches the cache server (Valkey), so install Python's pip (command: pip; Debian, Ubuntu: python3-pip).",
    )
  }
  return found
}

function atLeast(version, least) {
  const [found, wanted] = [version, least].map((text) => text.split(".").map(Number))
  for (let i = 0; i < wanted.length; i++) {
    if ((found[i] ?? 0) !== wanted[i]) return (found[i] ?? 0) > wanted[i]
  }
  return true
}
