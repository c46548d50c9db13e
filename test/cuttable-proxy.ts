import { connect, createServer } from "node:net";
import type { Server, Socket } from "node:net";

export interface CuttableProxy {
  /** The database's URL through the proxy. */
  url: string;
  /** Resets every connection and refuses new ones. */
  cut: () => Promise<void>;
  /** Keeps connections open but lets nothing through, as a network that drops every packet does. */
  blackHole: () => void;
  /** Lets new connections through again. */
  restore: () => Promise<void>;
  close: () => Promise<void>;
}

/** A TCP proxy in front of a database: it can cut the network and restore it. */
export async function startCuttableProxy(databaseUrl: string): Promise<CuttableProxy> {
  const target = new URL(databaseUrl);
  const sockets = new Set<Socket>();
  let dropping = false;
  let port = 0;
  let server: Server | undefined;

  const accept = (client: Socket) => {
    const upstream = connect(Number(target.port), target.hostname);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.on("data", (chunk) => void (dropping || to.write(chunk)));
      from.on("error", () => to.destroy());
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  };
  const cut = async () => {
    for (const socket of sockets) socket.resetAndDestroy();
    const closing = server;
    server = undefined;
    if (closing) await new Promise<void>((done) => closing.close(() => done()));
  };
  const restore = async () => {
    dropping = false;
    if (server) return;
    const opened = createServer(accept);
    await new Promise<void>((done) => opened.listen(port, "127.0.0.1", done));
    const address = opened.address();
    if (address !== null && typeof address === "object") port = address.port;
    server = opened;
  };
  await restore();
  const url = new URL(databaseUrl);
  url.hostname = "127.0.0.1";
  url.port = String(port);
  return {
    url: url.href,
    cut,
    restore,
    blackHole() {
      dropping = true;
    },
    close: cut,
  };
}
