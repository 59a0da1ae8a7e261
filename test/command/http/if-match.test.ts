import { expect, test } from "vitest"
import { parseIfMatch } from "../../../command/http/if-match.ts"

test.each([
  ["*", "any"],
  [' "3" ', [3]],
  ['"3-5f2c"', [3]],
  ['"3", "4-ab"', [3, 4]],
  ['W/"3"', []],
  ['W/"3", "4"', [4]],
  ['"other"', []],
  ['"99999999999999"', []],
  ['""', []],
  ["3", undefined],
  ['"3', undefined],
  ['"3" "4"', undefined],
  ['"3",, "4"', undefined],
  ["", undefined],
  ["  ", undefined],
])("If-Match: %s names the versions %j", (header, versions) => {
  expect(parseIfMatch(header)).toEqual(versions)
})
