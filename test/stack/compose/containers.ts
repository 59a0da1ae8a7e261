// The infrastructure for tests as containers (STACK=compose), through testcontainers: for machines with a container
// engine and without Java. Everything but Connect's flush interval is as docker-compose.yml says. Container names follow
// from the stack's directory and ports are fixed, so any process can kill a part and start it again under its address.
import { execFile } from "node:child_process"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import type { StartedDockerComposeEnvironment } from "testcontainers"
import { databaseAnswers, httpAnswers, kafkaAnswers, redisAnswers } from "../health.ts"
import type { Layout } from "../layout.ts"
import type { ConnectOptions } from "../native/connect.ts"
import type { Part } from "../native/process.ts"
import { readSettings } from "../settings.ts"
import { type Infrastructure, type InfrastructureParts, localUrls } from "../stack.ts"
import { composeEnvironment, composeProject, composeServices } from "./compose-project.ts"

/** The infrastructure as containers, running or not. */
export function createContainerInfrastructure(layout: Layout, options: ConnectOptions = {}): Infrastructure {
  const { admin: _, ...passwords } = layout.passwords
  let started: StartedDockerComposeEnvironment | undefined
  return {
    kind: "compose",
    parts: containerParts(layout, options),
    urls: localUrls(layout),
    passwords,
    start: (progress) =>
      progress.step("Containers", async () => {
        // Loaded only here: it takes a second, and every test that knows the stack imports this file.
        const { DockerComposeEnvironment, Wait } = await import("testcontainers")
        writeWorkerSettings(layout, options)
        started = await new DockerComposeEnvironment(layout.project, [
          "docker-compose.yml",
          writeOverride(layout),
        ])
          .withProjectName(composeProject(layout.directory))
          .withEnvironment(composeEnvironment(layout, readSettings()))
          .withBuild()
          .withDefaultWaitStrategy(Wait.forHealthCheck())
          .withStartupTimeout(300_000)
          .up(Object.values(composeServices))
      }),
    stop: async () => {
      await started?.down({ removeVolumes: true })
      started = undefined
    },
  }
}

function containerParts(layout: Layout, options: ConnectOptions): InfrastructureParts {
  const urls = localUrls(layout)
  const part = (key: keyof typeof composeServices, answers: () => Promise<void>, prepare = () => {}) =>
    containerPart(`${composeProject(layout.directory)}-${composeServices[key]}-1`, answers, prepare)
  return {
    commandDatabase: part("commandDatabase", () => databaseAnswers(urls.commandDatabaseUrl)),
    queryDatabase: part("queryDatabase", () => databaseAnswers(urls.queryDatabaseUrl)),
    kafka: part("kafka", () => kafkaAnswers(urls.kafkaBrokers)),
    registry: part("registry", () => httpAnswers(`${urls.registryUrl}/health/ready`)),
    connect: part(
      "connect",
      () => httpAnswers(`${urls.connectUrl}/connectors`),
      () => writeWorkerSettings(layout, options),
    ),
    redis: part("redis", () => redisAnswers(urls.redisUrl)),
  }
}

// The engine knows what runs: nothing is written down, and a container that ends is not taken for a crash, because
// docker-compose.yml has it started again.
function containerPart(container: string, answers: () => Promise<void>, prepare: () => void): Part {
  const docker = async (verb: string): Promise<void> => {
    await promisify(execFile)("docker", [verb, container])
  }
  return {
    name: container,
    log: `docker logs ${container}`,
    start: async () => {
      prepare()
      await docker("start")
      await untilAnswered(container, answers)
    },
    stop: () => docker("stop"),
    kill: () => docker("kill"),
    freeze: () => docker("pause"),
    thaw: () => docker("unpause"),
    healthy: () =>
      answers().then(
        () => true,
        () => false,
      ),
    identity: () => undefined,
    crashed: () => false,
  }
}

async function untilAnswered(container: string, answers: () => Promise<void>): Promise<void> {
  const deadline = Date.now() + 120_000
  for (;;) {
    try {
      return await answers()
    } catch (error) {
      if (Date.now() > deadline) throw new Error(`${container} does not answer`, { cause: error })
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}

const workerSettings = (layout: Layout): string => join(layout.directory, "config/worker.properties")

// Written in place, for the container keeps looking at the same file; the last line for a key wins.
function writeWorkerSettings(layout: Layout, { offsetFlushMs }: ConnectOptions): void {
  mkdirSync(join(layout.directory, "config"), { recursive: true })
  const image = readFileSync(join(layout.project, "connectors/worker/worker.properties"), "utf8")
  const own = offsetFlushMs === undefined ? "" : `\noffset.flush.interval.ms=${offsetFlushMs}\n`
  writeFileSync(workerSettings(layout), image + own)
}

function writeOverride(layout: Layout): string {
  const path = join(layout.directory, "config/compose.tests.yml")
  const volume = `${workerSettings(layout)}:/opt/connect/worker.properties:ro`
  writeFileSync(path, JSON.stringify({ services: { connect: { volumes: [volume] } } }))
  return path
}
