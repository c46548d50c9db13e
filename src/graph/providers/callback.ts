import type { BaseCallbackHandler } from "@langchain/core/callbacks/base";

/** What LangChain calls a handler's method with. */
export type Callback<Name extends keyof BaseCallbackHandler> = Parameters<
  Extract<BaseCallbackHandler[Name], (...given: never[]) => unknown>
>;
