import type { Message } from "../../../outputs.ts";

/** By parent (null is written as ""): which of the messages that follow it is shown, where it is not the newest. */
export type Chosen = Readonly<Record<string, string>>;

/** A message on the branch that is shown, among those that stand in its place on other branches. */
export interface Step {
  message: Message;
  /** The messages that follow the same one, oldest first, this one among them. */
  versions: readonly string[];
}

const keyOf = (parentId: string | null) => parentId ?? "";

/**
 * The branch that is shown, from its first message: what was chosen, and below that the way to the newest message. Where
 * older messages are not loaded, it begins with the first that is.
 * @param messages oldest first.
 */
export function readPath(messages: readonly Message[], chosen: Chosen): Step[] {
  const children = new Map<string, Message[]>();
  const loaded = new Set(messages.map((message) => message.id));
  const isCutOff = ({ parentId }: Message) => parentId !== null && !loaded.has(parentId);
  for (const message of messages) {
    const key = isCutOff(message) ? "" : keyOf(message.parentId);
    children.set(key, [...(children.get(key) ?? []), message]);
  }
  const newest = ancestors(messages);
  const path: Step[] = [];
  for (let key = ""; ;) {
    const versions = children.get(key) ?? [];
    const message =
      versions.find((one) => one.id === chosen[key]) ?? versions.find((one) => newest.has(one.id)) ?? versions.at(-1);
    if (!message) return path;
    // Messages that are cut off from different parents are no versions of each other.
    path.push({ message, versions: isCutOff(message) ? [message.id] : versions.map((one) => one.id) });
    key = message.id;
  }
}

/** The newest message and all that it follows. */
function ancestors(messages: readonly Message[]): Set<string> {
  const byId = new Map(messages.map((message) => [message.id, message]));
  const found = new Set<string>();
  for (let one = messages.at(-1); one && !found.has(one.id); one = byId.get(one.parentId ?? "")) found.add(one.id);
  return found;
}

/** The message that a new one must name to be added to the branch shown; null where that is the newest one anyway. */
export function parentToName(messages: readonly Message[], path: readonly Step[]): string | null {
  const last = path.at(-1)?.message;
  const newest = readPath(messages, {}).at(-1)?.message;
  return last && last.id !== newest?.id && last.role !== "user" ? last.id : null;
}
