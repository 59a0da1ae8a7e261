// The operations on the fence table and the lease, each one script and so one step for every other client.
// The table is a hash without expiry: `owner` (the projector that may renew), `epoch` and `floor` (the cache
// epoch it fences, and the position at which that epoch began), and per slot the newest position fenced.
// KEYS are the fence table, the lease, then values. Every reply to the owner carries Redis' clock.

const clock = `local clock = redis.call('TIME')`

/** ARGV owner. Makes this projector the only owner that may renew, and ends any lease that is there. */
export const takeOver = `${clock}
redis.call('HSET', KEYS[1], 'owner', ARGV[1])
redis.call('DEL', KEYS[2])
return {'ok', clock[1], clock[2]}`

/**
 * ARGV owner, epoch, floor, lease, end of the lease. Begins an epoch with an empty table and its first lease.
 * An epoch that is not above the last epoch was used before (the query database was restored): it may have values.
 */
export const beginEpoch = `${clock}
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return {'lost', clock[1], clock[2]} end
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if epoch and epoch >= ARGV[2] then return {'used', clock[1], clock[2]} end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'epoch', ARGV[2], 'floor', ARGV[3])
redis.call('SET', KEYS[2], ARGV[4], 'PXAT', ARGV[5])
return {'ok', clock[1], clock[2]}`

const mustOwn = `local owner = redis.call('HGET', KEYS[1], 'owner')
if not owner then redis.call('DEL', KEYS[2]) end
if owner ~= ARGV[1] then return {'lost', clock[1], clock[2]} end`

/** ARGV owner, lease, end of the lease. */
export const renewLease = `${clock}
${mustOwn}
redis.call('SET', KEYS[2], ARGV[2], 'PXAT', ARGV[3])
return {'ok', clock[1], clock[2]}`

/** ARGV owner, position, then the slot of each value. Deletes the values and refuses older values from now on. */
export const fenceValues = `${clock}
for i = 3, #KEYS do redis.call('DEL', KEYS[i]) end
${mustOwn}
for i = 3, #ARGV do
  local fenced = redis.call('HGET', KEYS[1], ARGV[i])
  if not fenced or fenced < ARGV[2] then redis.call('HSET', KEYS[1], ARGV[i], ARGV[2]) end
end
return {'ok', clock[1], clock[2]}`

/** ARGV owner. Ends the owner's lease; if another projector owns the table by now, it has ended this lease already. */
export const endLease = `${clock}
if redis.call('HGET', KEYS[1], 'owner') == ARGV[1] then redis.call('DEL', KEYS[2]) end
return {'ok', clock[1], clock[2]}`

/**
 * Readers. Keys are the fence table and the value; ARGV epoch, position, slot, value, milliseconds to live.
 * A value is refused (0) without a table of this epoch, and below the floor or the slot.
 */
export const storeValue = `
local fence = redis.call('HMGET', KEYS[1], 'epoch', 'floor', ARGV[3])
if fence[1] ~= ARGV[1] or not fence[2] or ARGV[2] < fence[2] then return 0 end
if fence[3] and ARGV[2] < fence[3] then return 0 end
redis.call('SET', KEYS[2], ARGV[4], 'PX', ARGV[5])
return 1`
