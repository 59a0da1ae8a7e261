// `lockstep db ..`: the schemas of both databases.
import type { Command } from "commander"
import { z } from "zod"
import { loadDemoData } from "../../db/demo-data.ts"
import { migrateCommandDatabase, migrateQueryDatabase } from "../../db/migrate.ts"
import { withExamples } from "./help.ts"
import { parseSettings } from "./settings.ts"

const environment = z.object({
  COMMAND_ADMIN_URL: z.string().min(1),
  QUERY_ADMIN_URL: z.string().min(1),
  COMMAND_APP_PASSWORD: z.string().min(1),
  CAPTURE_PASSWORD: z.string().min(1),
  BASE_LOADER_PASSWORD: z.string().min(1),
  PROJECTOR_PASSWORD: z.string().min(1),
  READER_PASSWORD: z.string().min(1),
  DEMO_DATA: z.stringbool().default(false),
})

export function addDatabaseCommands(program: Command): void {
  const migrate = program
    .command("db")
    .description("the schemas of both databases")
    .command("migrate")
    .description("bring both databases to the newest schema and set the roles' passwords; safe to run again")
    .option("--json", "print the migrations that were run as JSON")
    .action(runMigrate)
  withExamples(migrate, ["npx lockstep db migrate"])
}

async function runMigrate(options: { json?: boolean }): Promise<void> {
  const env = parseSettings(environment)
  const command = await migrateCommandDatabase({
    adminUrl: env.COMMAND_ADMIN_URL,
    passwords: {
      command_app: env.COMMAND_APP_PASSWORD,
      capture: env.CAPTURE_PASSWORD,
      base_loader: env.BASE_LOADER_PASSWORD,
    },
  })
  const query = await migrateQueryDatabase({
    adminUrl: env.QUERY_ADMIN_URL,
    passwords: { projector: env.PROJECTOR_PASSWORD, reader: env.READER_PASSWORD },
  })
  if (env.DEMO_DATA) await loadDemoData(env.COMMAND_ADMIN_URL)
  if (options.json) {
    console.log(JSON.stringify({ command, query, demoData: env.DEMO_DATA }))
    return
  }
  console.log(`command database: ${describe(command)}`)
  console.log(`query database: ${describe(query)}`)
  if (env.DEMO_DATA) console.log("demo data: loaded")
}

const describe = (migrations: readonly string[]): string =>
  migrations.length === 0 ? "at its newest schema already" : `ran ${migrations.join(", ")}`
