/**
 * The only reader of the environment. Every setting is checked at start; a bad value stops the process with
 * the variable's name and what it must be. Values never appear in the error, for some of them are secrets.
 */
import { z } from "zod";

const LOOPBACK_HOSTS = ["127.0.0.1", "::1", "localhost"] as const;

const wholeNumber = (fallback: number, min: number, max: number) =>
  z
    .string()
    .regex(/^[0-9]+$/, `must be a whole number from ${min} to ${max}`)
    .transform(Number)
    .pipe(z.number().min(min, `must be at least ${min}`).max(max, `must be at most ${max}`))
    .default(fallback);

const URL_PARTS = /^(postgres(?:ql)?:\/\/)([^/?#]*@)?([^@/?#]*)(.*)$/;
const SERVERS = new Set(["any", "read-write", "primary"]);

/** The URL with each of its hosts alone; `one:5432,two:5433` is a list, which the URL standard does not know. */
function splitHosts(url: string): string[] {
  const [, scheme = "", user = "", hosts = "", rest = ""] = URL_PARTS.exec(url) ?? [];
  if (scheme === "" || `${hosts}${rest}` === "" || (hosts.includes(",") && hosts.split(",").includes(""))) return [];
  return hosts.split(",").map((host) => `${scheme}${user}${host}${rest}`);
}

/** Which of the hosts will do; of a URL that was checked. */
function readServers(url: string): string {
  const [first = url] = splitHosts(url);
  return new URL(first).searchParams.get("target_session_attrs") ?? "any";
}

const postgresUrl = z
  .string()
  .refine((value) => splitHosts(value).length > 0 && splitHosts(value).every((url) => URL.canParse(url)), {
    message:
      "must be a URL like postgres://user:password@host:5432/database, or with several hosts host1:5432,host2:5432",
    abort: true,
  })
  .refine((value) => SERVERS.has(readServers(value)), {
    message: "must have any, read-write or primary for target_session_attrs: Threadmill writes",
  });

/** `name=value` pairs with commas between; the values are percent-encoded, as the W3C's baggage is. */
function readPairs(text: string, context: z.RefinementCtx<string>): Record<string, string> {
  const pairs = text.split(",").map((pair) => {
    const [name = "", ...value] = pair.trim().split("=");
    return [name, value.join("=")] as const;
  });
  try {
    return Object.fromEntries(pairs.map(([name, value]) => [name, decodeURIComponent(value)]));
  } catch {
    context.addIssue({ code: "custom", message: "must have values that are percent-encoded" });
    return z.NEVER;
  }
}

const settingsSchema = z.object({
  HOST: z
    .enum(
      LOOPBACK_HOSTS,
      "must be 127.0.0.1, ::1 or localhost: there are no accounts yet, so only this machine may connect",
    )
    .default("127.0.0.1"),
  PORT: wholeNumber(3000, 1, 65_535),
  DATABASE_URL: postgresUrl.optional(),
  /** A direct connection for LISTEN, where DATABASE_URL is a transaction-mode pooler. */
  DATABASE_LISTEN_URL: postgresUrl.optional(),
  /** `false` where DATABASE_URL is a pooler that cannot keep prepared statements. */
  DATABASE_PREPARE: z.enum(["true", "false"], "must be true or false").default("true"),
  DATA_DIR: z.string().default("./.data"),
  WORKER_CONCURRENCY: wholeNumber(10, 1, 1000),
  WORKERS: wholeNumber(1, 0, 64),
  LEASE_MS: wholeNumber(30_000, 1_000, 3_600_000),
  HEARTBEAT_MS: wholeNumber(10_000, 100, 1_200_000),
  POLL_MIN_MS: wholeNumber(250, 10, 60_000),
  POLL_MAX_MS: wholeNumber(30_000, 100, 600_000),
  SHUTDOWN_GRACE_MS: wholeNumber(30_000, 0, 3_600_000),
  JOB_TIMEOUT_MS: wholeNumber(1_800_000, 100, 86_400_000),
  RETRY_BASE_MS: wholeNumber(1_000, 0, 3_600_000),
  RETRY_CAP_MS: wholeNumber(600_000, 0, 86_400_000),
  /** How long completed and cancelled jobs are kept after their end; failed ones; 30 and 90 days unless set. */
  RETENTION_COMPLETED_MS: wholeNumber(2_592_000_000, 1_000, 315_360_000_000),
  RETENTION_FAILED_MS: wholeNumber(7_776_000_000, 1_000, 315_360_000_000),
  MODEL: z
    .string()
    .regex(/^(openai|anthropic|ollama):.+$/, "must be provider:name, where provider is openai, anthropic or ollama")
    .optional(),
  /** US dollars for a million tokens of `MODEL`, `input:output`; unset, costs are not counted. */
  MODEL_PRICE: z
    .string()
    .regex(/^\d+(\.\d+)?:\d+(\.\d+)?$/, "must be input:output in US dollars for a million tokens, such as 0.15:0.60")
    .transform((text) => {
      const [input = 0, output = 0] = text.split(":").map(Number);
      return { input, output };
    })
    .optional(),
  /** The `langgraph.json` whose graphs can be chatted with; `./langgraph.json` where that exists. */
  LANGGRAPH_CONFIG: z.string().optional(),
  OPENAI_API_KEY: z.string().optional(),
  OPENAI_BASE_URL: z.url("must be a URL such as http://127.0.0.1:8000/v1").optional(),
  ANTHROPIC_API_KEY: z.string().optional(),
  ANTHROPIC_BASE_URL: z.url("must be a URL").optional(),
  OLLAMA_BASE_URL: z.url("must be a URL such as http://127.0.0.1:11434").optional(),
  /** Where spans are sent, `/v1/traces` below it; unset, nothing is traced. */
  OTEL_EXPORTER_OTLP_ENDPOINT: z
    .url({ protocol: /^https?$/, error: "must be a URL such as http://127.0.0.1:4318" })
    .optional(),
  OTEL_EXPORTER_OTLP_PROTOCOL: z
    .enum(
      ["http/protobuf", "http/json"],
      "must be http/protobuf or http/json: spans are sent over HTTP, for which collectors mostly listen on port 4318",
    )
    .default("http/protobuf"),
  OTEL_EXPORTER_OTLP_HEADERS: z
    .string()
    .regex(/^[^=,\s]+=[^,]*(,\s*[^=,\s]+=[^,]*)*$/, "must be name=value, several with commas between")
    .transform(readPairs)
    .optional(),
  OTEL_SERVICE_NAME: z.string().optional(),
  OTEL_TRACES_SAMPLER: z
    .enum(
      [
        "always_on",
        "always_off",
        "traceidratio",
        "parentbased_always_on",
        "parentbased_always_off",
        "parentbased_traceidratio",
      ],
      "must be always_on, always_off or traceidratio, or one of them after parentbased_",
    )
    .default("parentbased_always_on"),
  OTEL_TRACES_SAMPLER_ARG: z
    .string()
    .regex(/^(0(\.\d+)?|1(\.0+)?)$/, "must be a number from 0 to 1")
    .transform(Number)
    .default(1),
  LOG_LEVEL: z
    .enum(
      ["fatal", "error", "warn", "info", "debug", "trace", "silent"],
      "must be fatal, error, warn, info, debug, trace or silent",
    )
    .default("info"),
});

/** Every setting of a process, checked; unset optional ones are absent. */
export type Settings = z.infer<typeof settingsSchema>;

/** A setting that cannot work; the message is one line that names it and the remedy. Fix it and start again. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";
}

/** A process exits with this code when a setting is at fault (EX_CONFIG of sysexits.h): a restart would fail as well. */
export const BAD_SETTINGS_EXIT_CODE = 78;

/**
 * Reads and checks the settings; an empty value counts as unset.
 * @throws SettingsError naming every bad variable and what it must be.
 */
export function loadEnv(source: NodeJS.ProcessEnv = process.env): Settings {
  const given = Object.fromEntries(Object.entries(source).filter(([, value]) => value !== undefined && value !== ""));
  const parsed = settingsSchema.safeParse(given);
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => `${issue.path.join(".")} ${issue.message}`);
    throw new SettingsError(`Bad setting: ${faults.join("; ")}`);
  }
  const settings = parsed.data;
  if (settings.HEARTBEAT_MS * 2 > settings.LEASE_MS) {
    throw new SettingsError(
      "Bad setting: HEARTBEAT_MS must be at most half of LEASE_MS, or one late heartbeat loses the lease",
    );
  }
  if (settings.POLL_MIN_MS > settings.POLL_MAX_MS) {
    throw new SettingsError("Bad setting: POLL_MIN_MS must not be greater than POLL_MAX_MS");
  }
  return settings;
}

/** Sets those variables of this process that are not set yet, for code that is loaded later and reads them itself. */
export function fillEnv(values: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(values)) process.env[name] ??= value;
}
