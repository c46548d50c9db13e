import type { Message } from "../../../outputs.ts";

/** The id of the version that the user chose, by the id of its parent ("" for none). */
export type Chosen = Readonly<Record<string, string>>;

/** A message of the shown branch, with its versions on other branches. */
export interface PathMessage {
  message: Message;
  /** All messages with the same parent, this one included, oldest first. */
  versions: readonly string[];
}

const keyOf = (parentId: string | null) => parentId ?? "";

/**
 * Returns the shown branch from its first loaded message. Without a chosen version it follows the branch of the newest
 * message.
 * @param messages oldest first.
 */
export function readPath(messages: readonly Message[], chosen: Chosen): PathMessage[] {
  const children = new Map<string, Message[]>();
  const loaded = new Set(messages.map((message) => message.id));
  const isCutOff = ({ parentId }: Message) => parentId !== null && !loaded.has(parentId);
  for (const message of messages) {
    const key = isCutOff(message) ? "" : keyOf(message.parentId);
    children.set(key, [...(children.get(key) ?? []), message]);
  }
  const newest = ancestors(messages);
  const path: PathMessage[] = [];
  for (let key = ""; ;) {
    const versions = children.get(key) ?? [];
    const message =
      versions.find((one) => one.id === chosen[key]) ?? versions.find((one) => newest.has(one.id)) ?? versions.at(-1);
    if (!message) return path;
    // Messages whose parents are not loaded share the key "", but they are not versions of each other.
    path.push({ message, versions: isCutOff(message) ? [message.id] : versions.map((one) => one.id) });
    key = message.id;
  }
}

/** The ids of the newest message and its ancestors. */
function ancestors(messages: readonly Message[]): Set<string> {
  const byId = new Map(messages.map((message) => [message.id, message]));
  const found = new Set<string>();
  for (let one = messages.at(-1); one && !found.has(one.id); one = byId.get(one.parentId ?? "")) found.add(one.id);
  return found;
}

/** The last reply of an older branch: a new message must name it as its parent. Null on the newest branch. */
export function parentToName(messages: readonly Message[], path: readonly PathMessage[]): string | null {
  const last = path.at(-1)?.message;
  const newest = readPath(messages, {}).at(-1)?.message;
  return last && last.id !== newest?.id && last.role !== "user" ? last.id : null;
}
