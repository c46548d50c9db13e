import { expect, test } from "vitest";
import { loadEnv, SettingsError } from "./env.ts";

const SECRET = "hunter2-secret";

function faultOf(source: Record<string, string>): string {
  try {
    loadEnv(source);
  } catch (error) {
    if (error instanceof SettingsError) return error.message;
    throw error;
  }
  throw new Error("the settings were accepted");
}

test("the defaults are the contract's", () => {
  expect(loadEnv({})).toMatchObject({
    HOST: "127.0.0.1",
    PORT: 3000,
    DATA_DIR: "./.data",
    WORKER_CONCURRENCY: 10,
    WORKERS: 1,
    LEASE_MS: 30_000,
    HEARTBEAT_MS: 10_000,
    SHUTDOWN_GRACE_MS: 30_000,
    JOB_TIMEOUT_MS: 1_800_000,
    RETRY_BASE_MS: 1_000,
    RETRY_CAP_MS: 600_000,
    LOG_LEVEL: "info",
  });
  expect(loadEnv({}).DATABASE_URL).toBeUndefined();
  expect(loadEnv({}).MODEL).toBeUndefined();
});

test("an empty variable counts as unset, and an unknown one is ignored", () => {
  expect(loadEnv({ PORT: "", MODEL: "", DATABASE_URL: "", EDITOR: "vi" })).toEqual(loadEnv({}));
});

test("valid values are accepted", () => {
  const source = {
    HOST: "::1",
    PORT: "65535",
    DATABASE_URL: "postgres://u:p@h/db",
    DATABASE_LISTEN_URL: "postgresql://h:5433/db",
    MODEL: "ollama:llama3:8b",
    WORKERS: "0",
  };
  expect(loadEnv(source)).toMatchObject({ ...source, PORT: 65_535, WORKERS: 0 });
});

test.each([
  "postgres://u:p@h1:5432,h2:5433/db?target_session_attrs=read-write",
  "postgres://h1,h2,[::1]:5433/db",
  "postgresql://u:p%2C@h/db?target_session_attrs=primary",
  "postgres:///db",
])("%s is accepted as a database URL", (url) => {
  expect(loadEnv({ DATABASE_URL: url }).DATABASE_URL).toBe(url);
});

test("OTLP headers are read as pairs and the sampling ratio as a number", () => {
  const source = { OTEL_EXPORTER_OTLP_HEADERS: "x-key=a%20b==, other=c", OTEL_TRACES_SAMPLER_ARG: "0.25" };
  expect(loadEnv(source)).toMatchObject({
    OTEL_EXPORTER_OTLP_HEADERS: { "x-key": "a b==", other: "c" },
    OTEL_TRACES_SAMPLER_ARG: 0.25,
  });
});

test.each([
  ["HOST", "0.0.0.0", "must be 127.0.0.1, ::1 or localhost"],
  ["PORT", "0", "must be at least 1"],
  ["PORT", "65536", "must be at most 65535"],
  ["PORT", "80a", "must be a whole number from 1 to 65535"],
  ["PORT", "1e3", "must be a whole number"],
  ["PORT", "-1", "must be a whole number"],
  ["DATABASE_URL", `mysql://u:${SECRET}@h/db`, "must be a URL like postgres://"],
  ["DATABASE_URL", `postgres://u:${SECRET}@h:notaport/db`, "must be a URL like postgres://"],
  ["DATABASE_URL", `postgres://u:${SECRET}@h1:5432,h2:x/db`, "must be a URL like postgres://"],
  ["DATABASE_URL", `postgres://u:${SECRET}@h1:5432,,h2/db`, "must be a URL like postgres://"],
  [
    "DATABASE_URL",
    `postgres://u:${SECRET}@h1,h2/db?target_session_attrs=standby`,
    "must have any, read-write or primary",
  ],
  ["DATABASE_LISTEN_URL", SECRET, "must be a URL like postgres://"],
  ["DATABASE_PREPARE", "no", "must be true or false"],
  ["WORKER_CONCURRENCY", "0", "must be at least 1"],
  ["WORKER_CONCURRENCY", "1001", "must be at most 1000"],
  ["WORKERS", "65", "must be at most 64"],
  ["LEASE_MS", "999", "must be at least 1000"],
  ["HEARTBEAT_MS", "99", "must be at least 100"],
  ["POLL_MIN_MS", "9", "must be at least 10"],
  ["POLL_MAX_MS", "600001", "must be at most 600000"],
  ["SHUTDOWN_GRACE_MS", "2.5", "must be a whole number"],
  ["JOB_TIMEOUT_MS", "99", "must be at least 100"],
  ["RETRY_BASE_MS", "x", "must be a whole number"],
  ["RETRY_CAP_MS", "86400001", "must be at most 86400000"],
  ["MODEL", "gpt-4o", "must be provider:name"],
  ["MODEL", "openai:", "must be provider:name"],
  ["OPENAI_BASE_URL", "nowhere", "must be a URL"],
  ["ANTHROPIC_BASE_URL", "nowhere", "must be a URL"],
  ["OLLAMA_BASE_URL", "nowhere", "must be a URL"],
  ["OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "must be a URL such as http://127.0.0.1:4318"],
  ["OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "must be http/protobuf or http/json"],
  ["OTEL_EXPORTER_OTLP_HEADERS", SECRET, "must be name=value"],
  ["OTEL_EXPORTER_OTLP_HEADERS", `key=%${SECRET}`, "must have values that are percent-encoded"],
  ["OTEL_TRACES_SAMPLER", "some", "must be always_on, always_off or traceidratio"],
  ["OTEL_TRACES_SAMPLER_ARG", "1.5", "must be a number from 0 to 1"],
  ["LOG_LEVEL", "loud", "must be fatal, error, warn"],
])("%s=%s is refused with the variable's name and what it must be", (name, value, remedy) => {
  const message = faultOf({ [name]: value });
  expect(message).toContain(`${name} ${remedy}`);
  expect(message).not.toContain("\n");
});

test("the message holds no value of any variable, because some are secrets", () => {
  const names = [
    "DATABASE_URL",
    "DATABASE_LISTEN_URL",
    "OPENAI_BASE_URL",
    "MODEL",
    "PORT",
    "HOST",
    "LOG_LEVEL",
    "OTEL_EXPORTER_OTLP_HEADERS",
  ];
  const message = faultOf(Object.fromEntries(names.map((name) => [name, `${SECRET} x`])));
  for (const name of names) expect(message).toContain(name);
  expect(message).not.toContain(SECRET);
});

test("a heartbeat too slow for its lease and a minimum above its maximum are refused", () => {
  expect(faultOf({ HEARTBEAT_MS: "600", LEASE_MS: "1000" })).toContain("HEARTBEAT_MS must be at most half of LEASE_MS");
  expect(faultOf({ LEASE_MS: "10000" })).toContain("HEARTBEAT_MS must be at most half of LEASE_MS");
  expect(faultOf({ POLL_MIN_MS: "500", POLL_MAX_MS: "400" })).toContain("POLL_MIN_MS must not be greater than");
});
