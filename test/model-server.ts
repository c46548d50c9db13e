import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export type Provider = "openai" | "anthropic" | "ollama";

/** The reaction to the next request. */
export type Behaviour =
  | { kind: "answer"; texts: string[] }
  /** Calls a tool; in OpenAI's format only. */
  | { kind: "call"; tool: string; args: object }
  | { kind: "refuse"; status: number; headers?: Record<string, string>; body?: unknown }
  /** Sends the first text, then resets the connection, or ends the answer as if it were complete. */
  | { kind: "break"; cleanly: boolean }
  /** Sends the first text or nothing, then hangs. */
  | { kind: "hang"; afterFirst: boolean };

/** A local server that speaks the streaming format of a model provider. */
export async function startModelServer(provider: Provider) {
  let behaviour: Behaviour = { kind: "answer", texts: ["hello"] };
  const requests: { path: string; body: Record<string, unknown>; headers: IncomingMessage["headers"] }[] = [];
  const pending = new Set<() => void>();
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const body = JSON.parse(Buffer.concat(parts).toString()) as Record<string, unknown>;
      requests.push({ path: request.url ?? "", body, headers: request.headers });
      for (const resolve of pending) resolve();
      if (
        behaviour.kind === "call" ||
        (behaviour.kind === "answer" && provider === "openai" && body["stream"] !== true)
      )
        answerWhole(behaviour, response);
      else reply(provider, behaviour, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}${provider === "openai" ? "/v1" : ""}`,
    requests,
    behave(next: Behaviour): void {
      behaviour = next;
    },
    /** Resolves at the next request. */
    async nextRequest(): Promise<void> {
      return new Promise((resolve) => {
        pending.add(resolve);
      });
    },
    async close(): Promise<void> {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function reply(provider: Provider, behaviour: Exclude<Behaviour, { kind: "call" }>, response: ServerResponse): void {
  if (behaviour.kind === "refuse") {
    response.writeHead(behaviour.status, { "content-type": "application/json", ...behaviour.headers });
    response.end(JSON.stringify(behaviour.body ?? { error: { message: "refused", type: "error" } }));
    return;
  }
  if (behaviour.kind === "hang" && !behaviour.afterFirst) return;
  const format = FORMATS[provider];
  response.writeHead(200, { "content-type": format.contentType });
  response.write(format.start);
  if (behaviour.kind === "answer") {
    for (const text of behaviour.texts) response.write(format.text(text));
    response.end(format.end);
    return;
  }
  response.write(format.text("half"), () => {
    if (behaviour.kind === "hang") return;
    if (behaviour.cleanly) response.end();
    else response.socket?.resetAndDestroy();
  });
}

/** An answer in OpenAI's format without streaming. */
function answerWhole(behaviour: Extract<Behaviour, { kind: "answer" | "call" }>, response: ServerResponse): void {
  const message =
    behaviour.kind === "answer"
      ? { role: "assistant", content: behaviour.texts.join("") }
      : { role: "assistant", content: null, tool_calls: [toolCall(behaviour)] };
  const finish_reason = behaviour.kind === "answer" ? "stop" : "tool_calls";
  const usage = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 };
  const body = {
    id: "c",
    object: "chat.completion",
    created: 1,
    model: "m",
    choices: [{ index: 0, message, finish_reason }],
    usage,
  };
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

function toolCall({ tool, args }: { tool: string; args: object }) {
  return { id: "call-1", type: "function", function: { name: tool, arguments: JSON.stringify(args) } };
}

const event = (data: { type: string }) => `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`;
const chunk = (choices: unknown[], rest: object = {}) =>
  `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", created: 1, model: "m", choices, ...rest })}\n\n`;
const line = (rest: object) => `${JSON.stringify({ model: "m", created_at: "2026-01-01T00:00:00Z", ...rest })}\n`;

const FORMATS: Record<Provider, { contentType: string; start: string; text: (text: string) => string; end: string }> = {
  openai: {
    contentType: "text/event-stream",
    start: chunk([{ index: 0, delta: { role: "assistant", content: "" }, finish_reason: null }]),
    text: (content) => chunk([{ index: 0, delta: { content }, finish_reason: null }]),
    end: `${chunk([{ index: 0, delta: {}, finish_reason: "stop" }])}${chunk([], { usage: { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 } })}data: [DONE]\n\n`,
  },
  anthropic: {
    contentType: "text/event-stream",
    start: `${event({
      type: "message_start",
      message: {
        id: "m",
        type: "message",
        role: "assistant",
        model: "m",
        content: [],
        stop_reason: null,
        stop_sequence: null,
        usage: { input_tokens: 11, output_tokens: 0 },
      },
    } as never)}${event({ type: "content_block_start", index: 0, content_block: { type: "text", text: "" } } as never)}`,
    text: (text) => event({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text } } as never),
    end: [
      event({ type: "content_block_stop", index: 0 } as never),
      event({
        type: "message_delta",
        delta: { stop_reason: "end_turn", stop_sequence: null },
        usage: { output_tokens: 7 },
      } as never),
      event({ type: "message_stop" }),
    ].join(""),
  },
  ollama: {
    contentType: "application/x-ndjson",
    start: "",
    text: (content) => line({ message: { role: "assistant", content }, done: false }),
    end: line({
      message: { role: "assistant", content: "" },
      done: true,
      done_reason: "stop",
      prompt_eval_count: 11,
      eval_count: 7,
    }),
  },
};
