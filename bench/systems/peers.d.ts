/* Types of the peers, as far as the benchmarks use them: `npm run bench` installs the packages into `bench/peers/`. */
declare module "graphile-worker" {
  type Log = object;
  export const Logger: new (makeLog: () => () => void) => Log;
  interface Options {
    connectionString: string;
    logger: Log;
  }
  export function runMigrations(options: Options): Promise<void>;
  export function makeWorkerUtils(options: Options): Promise<{
    addJob: (identifier: string, payload: object) => Promise<unknown>;
    addJobs: (jobs: { identifier: string; payload: object }[]) => Promise<unknown>;
    release: () => Promise<void>;
  }>;
  export function run(options: {
    preset: { worker: object };
    logger: Log;
    noHandleSignals: boolean;
    taskList: Record<string, (payload: unknown) => void>;
  }): Promise<{ stop: () => Promise<void> }>;
}

declare module "pg-boss" {
  interface Job {
    id: string;
    data: unknown;
  }
  export class PgBoss {
    constructor(options: { connectionString: string; max?: number });
    on(event: "error", listener: (error: Error) => void): void;
    start(): Promise<this>;
    stop(options: { graceful: boolean }): Promise<void>;
    createQueue(name: string): Promise<void>;
    send(name: string, data: object): Promise<unknown>;
    insert(name: string, jobs: { data: object }[]): Promise<unknown>;
    fetch(name: string, options: { batchSize: number }): Promise<Job[]>;
    complete(name: string, ids: string[]): Promise<unknown>;
    work(name: string, options: object, handler: (jobs: Job[]) => Promise<void>): Promise<string>;
  }
}
