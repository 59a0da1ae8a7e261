// Commands are typed into one shell and what each prints is told apart.
import { expect, test } from "vitest"
import { typeInto } from "./shell.ts"

const options = { directory: ".", environment: { PATH: process.env.PATH }, limitMs: 10_000 }

test("variables stay, and both streams are printed", async () => {
  const commands = ["A=1", 'echo "a $A"; echo b >&2', "printf c", "false", "echo 'it''s'\necho d"]
  expect(await typeInto(commands, options)).toEqual(["", "a 1\nb\n", "c", "", "its\nd\n"])
})

test("a command that is no shell at all does not keep the others from being run", async () => {
  const [first, second] = await typeInto(["echo (", "echo two"], options)
  expect(first).toContain("syntax error")
  expect(second).toBe("two\n")
})

test("a command that does not end is told with what was printed", async () => {
  const typed = typeInto(["echo before", "sleep 5"], { ...options, limitMs: 300 })
  await expect(typed).rejects.toThrow(/did not end in 300 ms. They printed:\nbefore/)
})
