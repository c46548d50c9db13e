import { connect, createServer } from "node:net";
import type { Socket } from "node:net";

export interface TransactionPooler {
  /** The database's URL through the pooler. */
  url: string;
  /** The number of transactions that ran on another connection than their client's previous one. */
  switches: () => number;
  close: () => Promise<void>;
}

/** A connection to the server. It serves one client's transaction at a time. */
interface Upstream {
  socket: Socket;
  client: Client | undefined;
  /** The number of queries and syncs that await their ReadyForQuery. */
  unanswered: number;
  /** True while parts of a query were sent without their sync. */
  open: boolean;
}

interface Client {
  socket: Socket;
  /** The connection of its transaction; the first one serves the login. */
  upstream: Upstream | undefined;
  last: Upstream | undefined;
  waiting: Buffer[];
}

const READY = "Z".charCodeAt(0);
const ASKS = new Set(["Q", "S"].map((type) => type.charCodeAt(0)));
const IDLE = "I".charCodeAt(0);

/**
 * A pooler in transaction mode. After the login each transaction of a client runs on the connection that was free longest,
 * so no session state survives: prepared statements, LISTEN, session locks.
 */
export async function startTransactionPooler(databaseUrl: string): Promise<TransactionPooler> {
  const target = new URL(databaseUrl);
  const connections = new Connections();
  const server = createServer((socket) => connections.accept(socket, connect(Number(target.port), target.hostname)));
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  const url = new URL(databaseUrl);
  url.hostname = "127.0.0.1";
  url.port = String(address !== null && typeof address === "object" ? address.port : 0);
  return {
    url: url.href,
    switches: () => connections.switches,
    async close() {
      connections.destroy();
      await new Promise<void>((done) => server.close(() => done()));
    },
  };
}

/** Assigns clients to connections; clients without one wait in a queue. */
class Connections {
  switches = 0;
  readonly #sockets = new Set<Socket>();
  readonly #free: Upstream[] = [];
  readonly #queue: Client[] = [];

  accept(socket: Socket, server: Socket): void {
    // The server answers the login with one ReadyForQuery.
    const upstream: Upstream = { socket: this.#keep(server), client: undefined, unanswered: 1, open: false };
    const client: Client = { socket: this.#keep(socket), upstream, last: undefined, waiting: [] };
    upstream.client = client;
    server.on(
      "data",
      splitMessages(false, (message) => this.#onServerMessage(upstream, message)),
    );
    socket.on(
      "data",
      splitMessages(true, (message) => this.#onClientMessage(client, message)),
    );
    socket.on("close", () => client.upstream?.socket.destroy());
  }

  destroy(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #keep(socket: Socket): Socket {
    this.#sockets.add(socket);
    // Without this, Nagle's algorithm would delay single messages.
    socket.setNoDelay(true);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#sockets.delete(socket));
    return socket;
  }

  #onClientMessage(client: Client, message: Buffer): void {
    if (client.upstream) {
      send(client.upstream, message);
      return;
    }
    client.waiting.push(message);
    if (client.waiting.length === 1) this.#assign(client);
  }

  #assign(client: Client): void {
    const upstream = this.#free.shift();
    if (!upstream) {
      this.#queue.push(client);
      return;
    }
    if (client.last !== upstream) this.switches += 1;
    client.upstream = upstream;
    upstream.client = client;
    for (const message of client.waiting.splice(0)) send(upstream, message);
  }

  #onServerMessage(upstream: Upstream, message: Buffer): void {
    const { client } = upstream;
    client?.socket.write(message);
    if (message[0] !== READY) return;
    upstream.unanswered -= 1;
    if (upstream.unanswered > 0 || upstream.open || message[5] !== IDLE) return;
    if (client) [client.upstream, client.last] = [undefined, upstream];
    upstream.client = undefined;
    this.#free.push(upstream);
    const next = this.#queue.shift();
    if (next) this.#assign(next);
  }
}

function send(upstream: Upstream, message: Buffer): void {
  const asks = ASKS.has(message[0] ?? 0);
  if (asks) upstream.unanswered += 1;
  upstream.open = !asks;
  upstream.socket.write(message);
}

/** Splits a stream into messages of the protocol. A client's first message has no type byte. */
function splitMessages(fromClient: boolean, each: (message: Buffer) => void): (chunk: Buffer) => void {
  let rest = Buffer.alloc(0);
  let headBytes = fromClient ? 0 : 1;
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= headBytes + 4) {
      const bytes = headBytes + rest.readInt32BE(headBytes);
      if (rest.length < bytes) return;
      const message = rest.subarray(0, bytes);
      rest = rest.subarray(bytes);
      headBytes = 1;
      // A Terminate message is dropped, because the connection serves other clients.
      if (message[0] !== "X".charCodeAt(0)) each(message);
    }
  };
}
