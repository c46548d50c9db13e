/** A provider and the name of its model, such as `openai:gpt-5`. */
export const MODEL_PATTERN = /^(openai|anthropic|ollama):(.+)$/;
/** What is wrong with a text that does not match `MODEL_PATTERN`. */
export const MODEL_FAULT = "must be provider:name, where provider is openai, anthropic or ollama";
