import { expect, test } from "vitest"
import { complaints } from "./prerequisites.mjs"

const everything: Record<string, string | undefined> = {
  java: 'openjdk version "17.0.15" 2025-04-15',
  mvn: "Apache Maven 3.8.7",
  pip: "pip 23.2.1",
}

function on(machine: Record<string, string | undefined>, nodeVersion = "20.19.0", stack?: string): string[] {
  return complaints({
    nodeVersion,
    stack,
    answerOf: (command) => machine[command],
    has: (command) => machine[command] !== undefined,
  })
}

test("finds nothing to say where everything is there", () => {
  expect(on(everything)).toEqual([])
})

test.each([
  ["java", /^Java is missing/],
  ["mvn", /^Maven is missing/],
  ["pip", /^pip is missing/],
])("says in one sentence that %s is missing and why it is needed", (command, sentence) => {
  const said = on({ ...everything, [command]: undefined })
  expect(said).toHaveLength(1)
  expect(said[0]).toMatch(sentence)
})

test.each(["20.18.3", "18.20.0", "9.99.0"])("finds Node %s too old", (version) => {
  expect(on(everything, version)).toEqual([expect.stringContaining(`Node ${version} is too old`)])
})

test.each(["20.19.0", "20.20.2", "24.1.0"])("accepts Node %s", (version) => {
  expect(on(everything, version)).toEqual([])
})

test("finds Java 11 and Java 8 too old", () => {
  expect(on({ ...everything, java: 'openjdk version "11.0.2"' })).toEqual([
    expect.stringContaining("Java 11.0.2 is too old"),
  ])
  expect(on({ ...everything, java: 'java version "1.8.0_392"' })).toEqual([
    expect.stringContaining("Java 1.8.0 is too old"),
  ])
})

test("asks for neither Java nor Maven where the stack is not native", () => {
  expect(on({}, "20.19.0", "external")).toEqual([])
  expect(on({ docker: "28.2.2" }, "20.19.0", "compose")).toEqual([])
})

test("is native unless something else is asked for, and names containers where they could run instead", () => {
  expect(on({})).toHaveLength(3)
  expect(on({ docker: "28.2.2" })).toEqual([
    expect.stringContaining("openjdk-17-jre-headless"),
    expect.stringContaining("Maven is missing"),
    expect.stringContaining("pip is missing"),
    expect.stringContaining("STACK=compose"),
  ])
  expect(on({ ...everything, docker: "28.2.2" })).toEqual([])
})

test("says that containers need an engine that answers", () => {
  expect(on({ docker: "Cannot connect to the Docker daemon" }, "20.19.0", "compose")).toEqual([
    expect.stringContaining("No container engine answers"),
  ])
})
