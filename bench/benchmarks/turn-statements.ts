import postgres from "postgres";
import { atMost } from "../benchmark.ts";
import type { Benchmark, Figure } from "../benchmark.ts";
import { Child } from "../child.ts";
import { startProduct } from "../product.ts";
import { countTransactions, logBytes, findPids, logStatements, readStatements } from "../statement-log.ts";
import type { Statement } from "../statement-log.ts";

/** LangGraph's PostgresSaver for the same turn at durability `async`. */
const STOCK = { statements: 43, transactions: 9 };

/**
 * Statements and transactions of a three-node turn, counted in PostgreSQL's log. `begin` and `commit` count as statements.
 * The whole turn is everything that the worker's process sends, from the claim to the next survey.
 */
export const turnStatements: Benchmark = {
  name: "turn-statements",
  async run(context) {
    const settings = { turns: context.quick ? 10 : 50, inFlight: 1 };
    const { url, drop } = await context.createDatabase("threadmill");
    const sql = postgres(url, { max: 1, onnotice: () => undefined });
    await logStatements(sql);
    const worker = await startProduct("worker", { DATABASE_URL: url });
    const child = new Child("chat-child", { url });
    try {
      await child.call("submit", { ...settings, turns: 5 });
      const since = logBytes(context.serverLog);
      await child.call("submit", settings);
      const statements = readStatements(context.serverLog, since);
      const workerPids = await findPids(sql, ["threadmill-worker"]);
      const whole = statements.filter(({ pid }) => workerPids.has(pid));
      const saver = whole.filter(({ text }) => text.includes("langgraph."));
      const each = Math.round(whole.length / settings.turns);
      return {
        settings,
        samples: { oneTurn: whole.slice(-each).map(({ text }) => text.trim().slice(0, 100)) },
        figures: toFigures({ whole, saver, turns: settings.turns }),
      };
    } finally {
      await child.stop();
      await worker.stop();
      await sql.end();
      await drop();
    }
  },
};

interface Counted {
  whole: Statement[];
  saver: Statement[];
  turns: number;
}

function toFigures({ whole, saver, turns }: Counted): Figure[] {
  return [
    {
      key: "statements_per_turn",
      label: "statements per turn, checkpoint saver",
      value: saver.length / turns,
      unit: "",
      target: atMost(15),
    },
    {
      key: "transactions_per_turn",
      label: "transactions per turn, checkpoint saver",
      value: countTransactions(saver) / turns,
      unit: "",
      target: atMost(4),
    },
    {
      key: "worker_statements_per_turn",
      label: "statements per turn, whole worker",
      value: whole.length / turns,
      unit: "",
    },
    {
      key: "worker_transactions_per_turn",
      label: "transactions per turn, whole worker",
      value: countTransactions(whole) / turns,
      unit: "",
    },
    {
      key: "stock_saver_statements_per_turn",
      label: "statements per turn, LangGraph's saver (known)",
      value: STOCK.statements,
      unit: "",
    },
    {
      key: "stock_saver_transactions_per_turn",
      label: "transactions per turn, LangGraph's saver (known)",
      value: STOCK.transactions,
      unit: "",
    },
  ];
}
