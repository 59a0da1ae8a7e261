import { expect, test } from "vitest"
import { tallyOf } from "./test-runner.ts"

function report(passed: number, failed: number, files: { status: string; tests: string[] }[] = []) {
  return {
    numPassedTests: passed,
    numFailedTests: failed,
    numPendingTests: 2,
    testResults: files.map(({ status, tests }) => ({
      status,
      assertionResults: tests.map((t) => ({ status: t })),
    })),
  }
}

test.each([
  ["everything passed", report(7, 0), 0, { passed: 7, failed: 0 }],
  [
    "a test failed",
    report(6, 1, [{ status: "failed", tests: ["passed", "failed"] }]),
    1,
    { passed: 6, failed: 1 },
  ],
  [
    "a file could not be loaded",
    report(6, 0, [{ status: "failed", tests: [] }]),
    1,
    { passed: 6, failed: 1 },
  ],
  ["a set-up broke", report(6, 0, [{ status: "failed", tests: ["skipped"] }]), 1, { passed: 6, failed: 1 }],
  ["the runner crashed after its report", report(6, 0), 1, { passed: 6, failed: 1 }],
  ["the runner crashed before its report", undefined, 1, { passed: 0, failed: 1 }],
  ["there was no test", report(0, 0), 0, { passed: 0, failed: 1 }],
])("counts a run in which %s", (_, given, exitCode, tally) => {
  expect(tallyOf(given, exitCode)).toMatchObject(tally)
})
