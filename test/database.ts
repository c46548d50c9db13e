import { randomBytes } from "node:crypto";
import postgres from "postgres";

/** Creates a database from the migrated template; from `template0` it is empty. */
export async function createTestDatabase(from = "threadmill"): Promise<{ url: string; drop: () => Promise<void> }> {
  const template = new URL(process.env["TEST_DATABASE_URL"] ?? "");
  const name = `test_${randomBytes(6).toString("hex")}`;
  const admin = new URL(template);
  admin.pathname = "/postgres";
  const run = async (statement: string) => {
    const sql = postgres(admin.href, { max: 1, onnotice: () => undefined });
    try {
      await sql.unsafe(statement);
    } finally {
      await sql.end();
    }
  };
  await run(`create database ${name} template ${from}`);
  const url = new URL(template);
  url.pathname = `/${name}`;
  return { url: url.href, drop: async () => run(`drop database ${name} with (force)`) };
}
