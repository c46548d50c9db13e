import type { SerializerProtocol } from "@langchain/langgraph-checkpoint";

/** A value as it lies in a row: JSON as it is, anything else in base64. */
export interface StoredValue {
  type: string;
  value: string;
}

/** Serialises at once, before the caller can change the value, though the text comes later. */
export async function dump(serde: SerializerProtocol, value: unknown): Promise<StoredValue> {
  const [type, bytes] = await serde.dumpsTyped(value);
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { type, value: buffer.toString(type === "json" ? "utf8" : "base64") };
}

/** The value that `dump` stored. */
export async function revive(serde: SerializerProtocol, { type, value }: StoredValue): Promise<unknown> {
  return (await serde.loadsTyped(
    type,
    type === "json" ? value : new Uint8Array(Buffer.from(value, "base64")),
  )) as unknown;
}
