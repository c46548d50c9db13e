import { setMaxListeners } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { setImmediate as nextTurn, setTimeout as wait } from "node:timers/promises";
import { backoffMs } from "./backoff.ts";
import type { Host } from "./hosts.ts";

/** What postgres.js reads of a socket: for its error messages, and for the name that TLS checks. */
type DriverSocket = Socket & Partial<Host>;

/**
 * Opens the sockets of one pool. postgres.js dials again at once, forever, when a server accepts a connection and closes
 * it before the login: nobody is told, and thousands of connections a second are made. Here such a close is an error of
 * the query that waits, and dialing slows down while nothing answers.
 */
export class Dialer {
  readonly #host: Host;
  /** How many sockets are opened without a delay: as many as the pool may have. */
  readonly #freeDials: number;
  #unansweredDials = 0;
  readonly #sockets = new Set<Socket>();
  readonly #closing = new AbortController();

  constructor({ host, port }: Host, freeDials: number) {
    this.#host = { host, port };
    this.#freeDials = freeDials;
    // As many may wait as the pool has connections.
    setMaxListeners(0, this.#closing.signal);
  }

  /** What makes postgres.js dial by it; nothing for a URL without a host, which is the driver's to complete. */
  get driverOptions(): Partial<Host> & { socket?: () => Promise<Socket> } {
    return this.#host.host === "" ? {} : { ...this.#host, socket: async () => this.#dial() };
  }

  /** Notes that the server has answered: the next sockets are opened at once. */
  answered(): void {
    this.#unansweredDials = 0;
  }

  /** Destroys its sockets and opens no more. */
  close(): void {
    this.#closing.abort();
    for (const socket of this.#sockets) socket.destroy();
  }

  /** A socket that is being connected: the driver's own connect timeout covers it. */
  async #dial(): Promise<Socket> {
    this.#unansweredDials += 1;
    const delayMs = backoffMs(this.#unansweredDials - this.#freeDials);
    const { signal } = this.#closing;
    if (delayMs > 0) await wait(delayMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) throw Object.assign(new Error("the pool was closed"), { code: "CONNECTION_ENDED" });
    const socket: DriverSocket = Object.assign(connect(this.#host), this.#host);
    socket.on("end", () => {
      if (socket.bytesRead === 0) socket.destroy(closedUnanswered());
    });
    this.#keep(socket);
    await surviveFirstTurn(socket);
    return socket;
  }

  #keep(socket: Socket): void {
    // No listener for their end: TLS takes all listeners off the socket below it.
    for (const one of this.#sockets) if (one.destroyed) this.#sockets.delete(one);
    this.#sockets.add(socket);
  }
}

/** An address without a route fails at once, before the driver listens: nobody would catch the error. */
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

function closedUnanswered(): Error {
  return Object.assign(new Error("the server closed the connection before it answered"), { code: "ECONNRESET" });
}
