import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo, Server } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Dialer } from "./dialer.ts";

/** The driver's target when it misreads an IPv6 address. */
const MISREAD = { host: ["["], port: [1] };

let server: Server;
let dialer: Dialer;
let host: { host: string; port: number };

beforeEach(async () => {
  server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  host = { host: "127.0.0.1", port: (server.address() as AddressInfo).port };
});
afterEach(async () => {
  dialer.close();
  await once(server.close(), "close");
});

const dial = async (target = MISREAD) => {
  const socket = await dialer.driverOptions.socket(target);
  if (socket.connecting) await once(socket, "connect");
  return socket.remotePort;
};

test("a dialer connects to its own host, whatever the driver made of the URL", async () => {
  dialer = new Dialer(host, 1);
  expect(dialer.hasConnected).toBe(false);
  expect(await dial()).toBe(host.port);
  expect(dialer.hasConnected).toBe(true);
});

test("for a URL without a host, a dialer connects to the driver's target", async () => {
  dialer = new Dialer({ host: "", port: 5432 }, 1);
  expect(await dial({ host: [host.host], port: [host.port] })).toBe(host.port);
});

test("a dialer of one socket never replaces it", async () => {
  dialer = new Dialer(host, 1, 1);
  await dial();
  await expect(dial()).rejects.toMatchObject({ code: "CONNECTION_CLOSED" });
});
