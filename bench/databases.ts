import { setTimeout as wait } from "node:timers/promises";
import postgres from "postgres";
import { migrateCheckpoints } from "#checkpoint";
import { migrate } from "#db";
import { SYSTEMS } from "./benchmark.ts";
import type { BenchDatabase, SystemName } from "./benchmark.ts";
import { migrateGraphile } from "./systems/graphile.ts";
import { migratePgBoss } from "./systems/pg-boss.ts";

const MIGRATIONS: Record<SystemName, (url: string) => Promise<unknown>> = {
  threadmill: async (url) => migrate({ url, also: migrateCheckpoints }),
  graphile: migrateGraphile,
  pgboss: migratePgBoss,
};

const POLL_MS = 20;

/** The databases of a run: a migrated template for each system, and copies for the measurements. */
export class BenchDatabases {
  readonly #url: string;
  readonly #sql: postgres.Sql;
  #count = 0;

  /** `url` names any database of the server; its user may create databases. */
  constructor(url: string) {
    this.#url = url;
    this.#sql = postgres(url, { max: 1, onnotice: () => undefined });
  }

  /** Creates the templates. */
  async prepare(): Promise<void> {
    for (const system of SYSTEMS) {
      await this.#sql`create database ${this.#sql(`template_${system}`)}`;
      await MIGRATIONS[system](this.#urlOf(`template_${system}`));
    }
  }

  async create(system: SystemName): Promise<BenchDatabase> {
    const name = `bench_${(this.#count += 1)}`;
    await this.#sql`create database ${this.#sql(name)} template ${this.#sql(`template_${system}`)}`;
    return {
      url: this.#urlOf(name),
      drop: async () => void (await this.#sql`drop database ${this.#sql(name)} with (force)`),
    };
  }

  /** Waits until no other session is active, then writes a checkpoint. */
  async settle(): Promise<void> {
    while (await this.#isBusy()) await wait(POLL_MS);
    await this.#sql`checkpoint`;
  }

  async version(): Promise<string> {
    const [row] = await this.#sql<{ server_version: string }[]>`show server_version`;
    return row?.server_version ?? "unknown";
  }

  async close(): Promise<void> {
    await this.#sql.end();
  }

  async #isBusy(): Promise<boolean> {
    const rows = await this.#sql`
      select 1 from pg_stat_activity where backend_type = 'client backend' and state = 'active' and pid <> pg_backend_pid()`;
    return rows.length > 0;
  }

  #urlOf(database: string): string {
    const url = new URL(this.#url);
    url.pathname = `/${database}`;
    return url.href;
  }
}
