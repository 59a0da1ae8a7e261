// Who wrote the progress, as the database itself saw it: a trigger notes for every write the connection's name and the
// lease as it was for that transaction.
import type pg from "pg"

/** From now on every write of the progress is noted. `reads` must be the superuser's. */
export async function auditWrites(reads: pg.Pool): Promise<void> {
  await reads.query(`
    create table public.progress_writes (
      writer text, write_epoch bigint, holder text, lease_epoch bigint, written_at timestamptz default clock_timestamp()
    );
    create function public.note_progress_write() returns trigger language plpgsql security definer as $$
    begin
      insert into public.progress_writes (writer, write_epoch, holder, lease_epoch)
      select current_setting('application_name'), new.lease_epoch, l.holder, l.lease_epoch
      from cdc.leases l where l.source = new.source;
      return new;
    end $$;
    create trigger noted after insert or update on cdc.progress for each row execute function public.note_progress_write()`)
}

/** Writes by another process than the holder, or under another lease epoch than its. */
export async function findForeignWrites(reads: pg.Pool): Promise<unknown[]> {
  const { rows } = await reads.query<{ writes: number; foreign: unknown[] }>(
    `select count(*)::int as writes, coalesce(json_agg(w) filter (
       where writer <> 'projector ' || holder or write_epoch <> lease_epoch), '[]') as foreign
     from public.progress_writes w`,
  )
  if (!rows[0] || rows[0].writes === 0) throw new Error("no write was noted: the audit proves nothing")
  return rows[0].foreign
}

export type Lease = { holder: string; epoch: bigint }

export async function readLease(reads: pg.Pool): Promise<Lease> {
  const { rows } = await reads.query<Lease>("select holder, lease_epoch as epoch from cdc.leases")
  return rows[0] ?? { holder: "", epoch: 0n }
}
