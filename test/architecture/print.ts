// Prints the rooms of the engine and how they import each other: `npm run -s architecture`. The architecture test
// holds the two zeros of the last lines.
import { circles, engine, factsOf, importsGoingBack } from "./rooms.ts"
import { isUnder, readSources } from "./sources.ts"

const sources = readSources().filter(({ path }) => isUnder(engine.folder)(path))
const rooms = factsOf(engine, sources)
const back = importsGoingBack(engine, sources)
const closed = circles(sources)
const arrows = rooms.reduce((sum, { imports }) => sum + imports.length, 0)
const lines = rooms.reduce((sum, room) => sum + room.lines, 0)
const biggest = rooms.reduce((a, b) => (b.lines > a.lines ? b : a))

const row = (room: string, files: unknown, size: unknown, level: unknown, imports: string): string =>
  `${room.padEnd(14)}${String(files).padStart(5)}${String(size).padStart(7)}${String(level).padStart(7)}  ${imports}`

const report = [
  row(engine.folder, "files", "lines", "level", "imports"),
  ...rooms.map((room) => row(room.name, room.files, room.lines, room.level, room.imports.join(" "))),
  "",
  `rooms                ${rooms.length}`,
  `import levels        ${Math.max(...rooms.map(({ level }) => level))}`,
  `arrows between rooms ${arrows} of ${(rooms.length * (rooms.length - 1)) / 2} possible`,
  `biggest room         ${biggest.name}, ${Math.round((100 * biggest.lines) / lines)} % of ${lines} lines`,
  `imports going back   ${back.length}`,
  ...back.map((one) => `  ${one}`),
  `circles of files     ${closed.length}`,
  ...closed.map((files) => `  ${files.join(" <-> ")}`),
]
process.stdout.write(`${report.join("\n")}\n`)
