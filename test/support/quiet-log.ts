// A log for parts under test: an error is still printed, everything else is not.
import { pino } from "pino"

export const quiet = pino({ level: "error" })
