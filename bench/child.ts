import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { nodeFlags } from "../src/launch/node-flags.ts";

interface Pending {
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
}

/** An answer of a child, or an event. */
export type FromChild = { id: number; value?: unknown; error?: string } | { event: unknown };

/** True for Threadmill: its processes get the product's flags. The peers run with the defaults of Node.js. */
function isThreadmill(settings: unknown): boolean {
  return typeof settings === "object" && settings !== null && "name" in settings && settings.name === "threadmill";
}

/** A child process whose methods are called over IPC. */
export class Child {
  readonly #process: ChildProcess;
  readonly #pending = new Map<number, Pending>();
  #calls = 0;
  #ended = false;
  /** Called with each event of the child. */
  onEvent: (event: unknown) => void = () => undefined;

  /** Starts the module of this folder with `settings`, which `readSettings` returns there. */
  constructor(module: string, settings: unknown) {
    this.#process = fork(new URL(`${module}.js`, import.meta.url), [JSON.stringify(settings)], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      serialization: "advanced",
      execArgv: isThreadmill(settings) ? nodeFlags("worker") : [],
    });
    this.#process.on("message", (message: FromChild) => this.#onMessage(message));
    this.#process.once("exit", (code, signal) => {
      this.#ended = true;
      for (const { reject } of this.#pending.values())
        reject(new Error(`${module} ended with ${signal ?? `code ${code}`}`));
    });
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** Calls a method of the child and resolves with what it returns. */
  async call<T = undefined>(method: string, options?: unknown): Promise<T> {
    if (this.#ended) throw new Error("the child has ended");
    const id = (this.#calls += 1);
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve: (value) => resolve(value as T), reject });
      this.#process.send({ id, method, options });
    });
  }

  /** Ends the process and waits for it. */
  async stop(): Promise<void> {
    if (this.#ended) return;
    const ended = new Promise((resolve) => this.#process.once("exit", resolve));
    this.#process.disconnect();
    await ended;
  }

  #onMessage(message: FromChild): void {
    if ("event" in message) return this.onEvent(message.event);
    const pending = this.#pending.get(message.id);
    this.#pending.delete(message.id);
    if (message.error === undefined) pending?.resolve(message.value);
    else pending?.reject(new Error(message.error));
    return undefined;
  }
}
