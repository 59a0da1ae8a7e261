// How long random tests search: `TIMES=10` runs each ten times as long, with ten times the patience.
// `npm run test:long` sets it; `npm test` leaves it at 1.
export const times = Number(process.env.TIMES ?? 1)
