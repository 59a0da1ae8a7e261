// How long random tests search: with `TIMES=10` each runs ten times as long. `npm run test:long` sets it and gives the
// tests the time for it; `npm test` leaves it at 1.
export const times = Number(process.env.TIMES ?? 1)
