import { setMaxListeners } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { setImmediate as nextTurn, setTimeout as wait } from "node:timers/promises";
import type { Host } from "#shared/database-url";
import { codedError } from "../errors.ts";
import { backoffMs } from "./backoff.ts";

/** The driver's own target: a host, or the path of a Unix socket. */
interface Target {
  host: string[];
  port: number[];
  path?: string | false;
}

/**
 * Opens the sockets of one pool. When a server accepts a connection and closes it before the login, postgres.js dials again
 * at once and forever, and no caller gets an error. Here the waiting query gets the error, and dialing slows down while
 * the server does not answer.
 */
export class Dialer {
  readonly #host: Host;
  readonly #freeDials: number;
  readonly #maxDials: number;
  #dialCount = 0;
  #unansweredDials = 0;
  #hasConnected = false;
  readonly #sockets = new Set<Socket>();
  readonly #closing = new AbortController();

  /**
   * @param freeDials sockets that are opened without a delay: the size of the pool.
   * @param maxDials sockets that are opened at all; with 1, a lost connection is never replaced.
   */
  constructor(host: Host, freeDials: number, maxDials = Infinity) {
    this.#host = host;
    this.#freeDials = freeDials;
    this.#maxDials = maxDials;
    // Each connection of the pool may listen while it waits for its delay.
    setMaxListeners(0, this.#closing.signal);
  }

  /** The options with which postgres.js opens its sockets by this dialer. */
  get driverOptions() {
    return { socket: async (target: Target) => this.#dial(target) };
  }

  /** True once any socket was connected, whether or not the server answered. */
  get hasConnected(): boolean {
    return this.#hasConnected;
  }

  /** Notes that the server has answered: the next sockets are opened without a delay. */
  answered(): void {
    this.#unansweredDials = 0;
  }

  /** Destroys its sockets and opens no more. */
  close(): void {
    this.#closing.abort();
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Returns a socket that still connects: the driver's connect timeout covers it. */
  async #dial(target: Target): Promise<Socket> {
    if (this.#dialCount >= this.#maxDials) throw codedError("CONNECTION_CLOSED", "the connection was lost");
    this.#dialCount += 1;
    this.#unansweredDials += 1;
    const delayMs = backoffMs(this.#unansweredDials - this.#freeDials);
    const { signal } = this.#closing;
    if (delayMs > 0) await wait(delayMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) throw codedError("CONNECTION_ENDED", "the pool was closed");
    // The driver's target is used only for a URL without a host: the driver misreads IPv6 addresses.
    const { path, host, port } = this.#host.host === "" ? firstOf(target) : { ...this.#host, path: undefined };
    const socket = path === undefined ? connect({ host, port }) : connect(path);
    socket.once("connect", () => {
      this.#hasConnected = true;
    });
    socket.on("end", () => {
      if (socket.bytesRead === 0)
        socket.destroy(codedError("CONNECTION_CLOSED", "the server closed the connection before it answered"));
    });
    this.#keep(socket);
    await surviveFirstTurn(socket);
    // The driver reads both from the socket, for its errors and for the name that a certificate must have.
    return Object.assign(socket, { host, port });
  }

  #keep(socket: Socket): void {
    // Sockets that ended are removed here, not by a listener: TLS removes all listeners of the socket below it.
    for (const one of this.#sockets) if (one.destroyed) this.#sockets.delete(one);
    this.#sockets.add(socket);
  }
}

function firstOf({ host: [host = ""], port: [port = 0], path }: Target) {
  return { host, port, path: path === false ? undefined : path };
}

/** An address without a route fails before the driver listens for errors, which would end the process. */
async function surviveFirstTurn(socket: Socket): Promise<void> {
  let failure: Error | undefined;
  const note = (error: Error) => {
    failure = error;
  };
  socket.on("error", note);
  await nextTurn();
  socket.off("error", note);
  if (failure) throw failure;
}
