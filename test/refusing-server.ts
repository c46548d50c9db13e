import { createServer } from "node:net";
import type { Socket } from "node:net";

export interface RefusingServer {
  port: number;
  /** The number of accepted connections. */
  connections: () => number;
  close: () => Promise<void>;
}

/** A TCP server that accepts connections and closes them at once, like a proxy without a leader, or never answers. */
export async function startRefusingServer(manner: "closes" | "is silent"): Promise<RefusingServer> {
  let connections = 0;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
    socket.resume();
    if (manner === "closes") socket.end();
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  return {
    port: address !== null && typeof address === "object" ? address.port : 0,
    connections: () => connections,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((done) => server.close(() => done()));
    },
  };
}
